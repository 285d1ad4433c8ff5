# How the tree is compiled, read by quickstart and build-deb: what is tested is compiled as what is shipped, so that a
# compiler's cache, where there is one, knows the one from the other.
# shellcheck shell=bash

# compiler_cache TREE: where the tree lies makes no difference to the cache.
compiler_cache() {
    export CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=locale
    export CCACHE_IGNOREOPTIONS="-ffile-prefix-map=* ${CCACHE_IGNOREOPTIONS:-}"
}

# debian_flags TREE: the flags that debhelper compiles with, as packaging/debian/rules has them.
debian_flags() {
    local flags macros
    flags=$(cd "$1" && DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CXXFLAGS) || return
    macros=$(cd "$1" && DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CPPFLAGS) || return
    printf '%s %s' "$flags" "$macros"
}
