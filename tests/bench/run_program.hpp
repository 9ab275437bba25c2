// Runs another program and tells how long it took.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

namespace cib {

// Its output is thrown away, and its input is `input`. Seconds, negative when it did not run or failed.
inline double run_program(std::vector<std::string> arguments, const char* input = "/dev/null",
                          std::vector<std::string> variables = {}) {
  std::vector<char*> argv, environment;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  for (auto& variable : variables) environment.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  int status = -1;
  if (failed == 0) ::waitpid(pid, &status, 0);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ::posix_spawn_file_actions_destroy(&actions);
  return status == 0 ? took.count() : -1;
}

}  // namespace cib
