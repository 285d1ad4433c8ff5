"""Builds and runs the fuzz targets; tests/fuzz/run says how."""
import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TREE, "build", "fuzz")
SEEDS = os.path.join(HERE, "seeds")
CLANG = "clang++-16"  # lambdas of the product capture structured bindings, which clang 14 can't
LONGEST = 65536
# Of one input. It takes milliseconds, on a computer that has nothing else to do. Memory is what the largest accepted map may
# ask for, and what the sanitizers add.
LIMITS = ["-timeout=300", "-report_slow_units=300", "-rss_limit_mb=3072", f"-max_len={LONGEST}"]
KEPT = "found-"  # seeds that once broke a promise


def fail(why):
    sys.exit(f"fuzz: {why}")


def all_targets():
    with open(os.path.join(HERE, "CMakeLists.txt")) as file:
        return re.search(r"set\(targets ([^)]*)\)", file.read())[1].split()


def build(targets):
    if shutil.which(CLANG) is None:
        fail(f"{CLANG} is not there, which has libFuzzer: packaging/quickstart install-packages fuzz (clang-16, "
             "libclang-rt-16-dev)")
    subprocess.run(["cmake", "--log-level=WARNING", "-S", TREE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                    f"-DCMAKE_CXX_COMPILER={CLANG}", "-DSATCHEL_FUZZ=ON"], check=True)
    wanted = [f"fuzz_{each}" for each in targets] + ["fuzz_first_inputs"]
    if subprocess.run(["cmake", "--build", BUILD, "--target", *wanted]).returncode != 0:
        fail("the targets can't be built; is all of packaging/quickstart install-packages build fuzz there?")


def program(target):
    return os.path.join(BUILD, "tests", "fuzz", f"fuzz_{target}")


def folder(*names):
    path = os.path.join(BUILD, *names)
    os.makedirs(path, exist_ok=True)
    return path


def inputs_of(target):
    """What the target begins with, besides what it has found."""
    return [path for path in (os.path.join(SEEDS, target), os.path.join(BUILD, "first", target)) if os.path.isdir(path)]


def first_inputs():
    # Those of an earlier version would be refused, at best.
    shutil.rmtree(os.path.join(BUILD, "first"), ignore_errors=True)
    if subprocess.run([os.path.join(BUILD, "tests", "fuzz", "fuzz_first_inputs"), folder("first")]).returncode != 0:
        fail("no first inputs could be made")


def fuzz(target, seconds):
    """Gives executions, edges and features reached, and findings."""
    findings = folder("findings", target)
    before = set(os.listdir(findings))
    log = os.path.join(folder("logs"), target)
    with open(log, "w") as out:
        ended = subprocess.run([program(target), f"-max_total_time={seconds}", f"-artifact_prefix={findings}/",
                                "-print_final_stats=1", *LIMITS, folder("corpus", target), *inputs_of(target)],
                               stdout=out, stderr=subprocess.STDOUT)
    with open(log, errors="replace") as file:
        text = file.read()
    found = sorted(set(os.listdir(findings)) - before)
    executions = re.findall(r"stat::number_of_executed_units: (\d+)", text)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", text)
    if not found and (ended.returncode != 0 or not executions):
        print(text[-4000:])
        fail(f"{target} did not run to its end (status {ended.returncode}); all of it is in {log}")
    for each in found:
        why = re.findall(r"^(?:broken: .*|SUMMARY: .*)$", text, re.M)
        print(f"{target}: {why[0] if why else 'ended'}: {os.path.join(findings, each)}", flush=True)
    done = int(executions[-1]) if executions else int((re.findall(r"^#(\d+)", text, re.M) or ["0"])[-1])
    edges, features = reached[-1] if reached else ("0", "0")
    print(f"{target}: {done} executions, {edges} edges, {features} features, {len(found)} findings", flush=True)
    return done, len(found)


def keep(target):
    """Makes the target's kept seeds anew."""
    new = os.path.join(BUILD, "kept", target)
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    # Edges alone, not how often: seeds are to be few.
    subprocess.run([program(target), "-set_cover_merge=1", "-use_counters=0", *LIMITS, new, *inputs_of(target),
                    folder("corpus", target)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    old = os.path.join(SEEDS, target)
    os.makedirs(old, exist_ok=True)
    for each in os.listdir(old):
        if not each.startswith(KEPT):
            os.remove(os.path.join(old, each))
    names = sorted(os.listdir(new))
    size = 0
    for each in names:
        size += os.path.getsize(os.path.join(new, each))
        shutil.copy(os.path.join(new, each), os.path.join(old, each[:12]))
    print(f"{target}: {len(names)} seeds, {size} bytes", flush=True)


def main():
    targets = all_targets()
    arguments = argparse.ArgumentParser(prog="tests/fuzz/run")
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--jobs", type=int, default=1)
    arguments.add_argument("--list", action="store_true")
    arguments.add_argument("--keep", action="store_true")
    arguments.add_argument("target", nargs="*")
    chosen = arguments.parse_args()
    if chosen.list:
        print("\n".join(targets))
        return
    if unknown := [each for each in chosen.target if each not in targets]:
        fail(f"there is no target {unknown[0]}; --list names them")
    targets = chosen.target or targets
    build(targets)
    first_inputs()
    with concurrent.futures.ThreadPoolExecutor(max(1, chosen.jobs)) as pool:
        if chosen.keep:
            list(pool.map(keep, targets))
            return
        done = list(pool.map(lambda target: fuzz(target, chosen.seconds), targets))
    findings = sum(found for _, found in done)
    print(f"fuzz: {len(done)} targets, {sum(count for count, _ in done)} executions, {findings} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
