#include "arguments.hpp"

#include <catch2/catch.hpp>

using namespace satchel::cli;

namespace {

Invocation parse(std::vector<const char*> words) {
  words.insert(words.begin(), "satchelctl");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("--json counts before and after the command") {
  CHECK(parse({"--json", "status"}).output == Output::json);
  CHECK(parse({"status", "--json"}).output == Output::json);
  CHECK(parse({"status"}).output == Output::people);
}

TEST_CASE("a wrong command line is refused with a usage status") {
  for (auto words :
       std::vector<std::vector<const char*>>{{"frobnicate"},
                                             {"show"},
                                             {"launch"},
                                             {"eject", "x", "--all"},
                                             {"list", "stars"},
                                             {"export", "x"},
                                             {"export", "x", "--to", "d", "--flat", "--chain"},
                                             {"export", "x", "--to", "d", "--generation", "0"},
                                             {"import"}}) {
    try {
      parse(words);
      FAIL(words.front());
    } catch (const Refusal& refusal) {
      CHECK(refusal.code() == ExitCode::usage);
    }
  }
}

TEST_CASE("what a new machine is made of is said in one way") {
  CHECK(parse({"create", "web", "--size", "20GiB", "--memory", "512MiB", "--cpus", "2"}).command);
  for (auto words : std::vector<std::vector<const char*>>{
           {"create", "web", "--size", "20GiB", "--disk", "x"},
           {"create", "web", "--disk", "x", "--format", "qed"},
           {"create", "web", "--format", "raw", "--size", "1GiB"},
           {"create", "web", "--size", "large"},
           {"create", "web", "--size", "1GiB", "--cpus", "0"},
           {"create", "web", "--size", "1GiB", "--firmware", "openboot"}}) {
    INFO(words[2]);
    CHECK_THROWS_AS(parse(words), Refusal);
  }
}

TEST_CASE("what is verified may be named, or is the only device") {
  CHECK(parse({"doctor", "--measure", "--thorough", "--yes"}).command);
  CHECK(parse({"verify"}).command);
  CHECK(parse({"verify", "web", "--json"}).output == Output::json);
  CHECK_THROWS_AS(parse({"verify", "web", "desk"}), Refusal);
}

TEST_CASE("an empty argument is neither all nor the only one") {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"eject", ""},
                                             {"drop-cache", ""},
                                             {"verify", ""},
                                             {"pack", "web", ""},
                                             {"create", "web", "--device", ""}}) {
    INFO(words[0]);
    CHECK_THROWS_WITH(parse(words), Catch::Contains("it is empty"));
  }
}

TEST_CASE("a generation is a number as history shows it") {
  CHECK(parse({"rollback", "web", "7"}).command);
  CHECK(parse({"export", "web", "--to", "d", "--generation", "12"}).command);
  for (const auto* each : {"0", "-1", "abc", "1.5", "99999999999999999999999", ""})
    CHECK_THROWS_AS(parse({"rollback", "web", each}), Refusal);
  CHECK_THROWS_WITH(parse({"rollback", "web", "0"}), Catch::Contains("satchelctl history"));
}

TEST_CASE("no command at all is status") { CHECK(parse({}).command); }

TEST_CASE("help and version are printed, not done") {
  CHECK(parse({"--version"}).text.rfind("satchelctl ", 0) == 0);
  CHECK(parse({"eject", "--help"}).text.find("satchelctl eject") != std::string::npos);
}

TEST_CASE("each remedy has its exit status, and done alone is zero") {
  using satchel::Remedy;
  for (const auto remedy : {Remedy::retry, Remedy::replug, Remedy::free_space, Remedy::other_device,
                            Remedy::fix_config, Remedy::fix_request, Remedy::ask_admin,
                            Remedy::choose, Remedy::later_version, Remedy::report_bug})
    CHECK(exit_code_of(remedy) != ExitCode::done);
  CHECK(exit_code_of_result("done") == ExitCode::done);
  CHECK(exit_code_of_result("cancelled") == ExitCode::cancelled);
  CHECK(exit_code_of_result("org.satchel.Satchel1.Error.NoSpace") == ExitCode::no_space);
  CHECK(exit_code_of_result("org.example.Other") == ExitCode::failed);
}
