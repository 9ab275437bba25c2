// Whoever runs container-ib is root, mostly, and what it shows has names in it that users and files choose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "adapters/linux/process.hpp"
#include "container_ib/journal.hpp"
#include "support/paths.hpp"

namespace cib {
namespace {

using testing::HasSubstr;

// Retitles the window, clears the screen, and both once more as one byte (C1) and as UTF-8 of it; and a line
// that looks like one of ours.
const std::string hostile =
    "\x1b]0;OWNED\a\x1b[2J\x9b"
    "2J\xc2\x9b"
    "2J\r\nSTEP ok";

class Terminal : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cib-terminal-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::filesystem::create_directory(folder_ + "/7.0");
    std::filesystem::permissions(folder_ + "/7.0", std::filesystem::perms::owner_all);
    Opened owner;
    owner.boot = boot_id().value();
    owner.uid = hostile;
    owner.since = "0";
    owner.stepd = owner.agent = identity_of(::getpid());
    std::ofstream journal(folder_ + "/7.0/journal");
    journal << encode_record({1, Mark::done, owner})
            << encode_record({2, Mark::done, PortsNoted{hostile, hostile}})
            << encode_record({3, Mark::intent, Quarantined{"pid 17 (" + hostile + ")"}});
    ASSERT_EQ(::chmod((folder_ + "/7.0/journal").c_str(), 0600), 0);
    const std::string libraries = folder_ + "/image/opt/" + hostile + "/lib";
    std::filesystem::create_directories(libraries);
    std::ofstream(libraries + "/libucp.so.0") << "ELF";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Both outputs of `container-ib arguments...`, started without a shell.
  static std::string shown_by(std::vector<std::string> arguments) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      const std::string program = test::program_file();
      std::vector<char*> words = {const_cast<char*>(program.c_str())};
      for (std::string& argument : arguments) words.push_back(argument.data());
      words.push_back(nullptr);
      ::execv(program.c_str(), words.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return text;
  }

  std::string folder_;
};

bool is_harmless(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); });
}

TEST_F(Terminal, NothingThatAUserOrAFileNamesSteersIt) {
  const std::string file = folder_ + "/" + hostile + ".conf";
  std::ofstream(file) << "[" << hostile << "]\n";
  const std::vector<std::vector<std::string>> commands = {
      {"list", "--state", folder_},
      {"list", "--json", "--state", folder_},
      {"check", "--state", folder_},
      {"check", hostile, "--state", folder_},
      {"check", "--json", "--state", folder_},
      {"doctor", "--state", folder_, "--config", file},
      {"doctor", "--image=" + folder_ + "/image"},
      {"doctor", "--image=" + folder_ + "/image", "--json"},
      {"doctor", "--image=/nowhere/" + hostile},
      {"list", "--state", file},
      {"reap", "--state", file},
      {"attach", "--pid", "1", "--option", hostile},
      {"attach", "--pid", hostile},
      {"detach", hostile, "--state", folder_},
      {"check-config", file},
      {"check-config", "/nowhere/" + hostile},
      {"check-config", "--json", "/nowhere/" + hostile},
      {"plan", "--topology", "/nowhere/" + hostile, "--tasks", "1"},
      {"plan", "--option", hostile, "--tasks", "1"},
      {"plan", "--option", "verbs,hca=" + hostile, "--tasks", "1"},
      {"plan", "--masks", hostile},
      {"plan", "--tasks", "1", "--gpus", hostile},
      {"topo", "--sysfs", "/nowhere/" + hostile},
      {"plan", "--" + hostile},
      {hostile},
  };
  for (const auto& command : commands) {
    const std::string text = shown_by(command);
    EXPECT_FALSE(text.empty()) << command[0];
    EXPECT_TRUE(is_harmless(text)) << testing::PrintToString(command) << "\n" << testing::PrintToString(text);
  }
  EXPECT_THAT(shown_by(commands[0]), HasSubstr("\\x1b]0;OWNED\\x07"));
}

}  // namespace
}  // namespace cib
