// The programs by which a cgroup of version 2 says which devices its processes may use
// (BPF_PROG_TYPE_CGROUP_DEVICE). Each of those that hold for a process must say yes (bpf_prog_run_array_cg),
// so that another one can only take away: who is to use one device more gets each of them replaced.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace cib {

// As struct bpf_insn of <linux/bpf.h>, bit by bit.
struct BpfInstruction {
  std::uint8_t code = 0;
  std::uint8_t to : 4 = 0;    // register
  std::uint8_t from : 4 = 0;  // register
  std::int16_t offset = 0;
  std::int32_t number = 0;
  bool operator==(const BpfInstruction&) const = default;
};
using DeviceProgram = std::vector<BpfInstruction>;

// From numbers that fit their fields.
constexpr BpfInstruction bpf_instruction(unsigned code, unsigned to, unsigned from, int offset, int number) {
  BpfInstruction made;
  made.code = static_cast<std::uint8_t>(code);
  made.to = static_cast<std::uint8_t>(to & 15U);
  made.from = static_cast<std::uint8_t>(from & 15U);
  made.offset = static_cast<std::int16_t>(offset);
  made.number = number;
  return made;
}

// A character device.
struct DeviceNumber {
  std::uint32_t major = 0, minor = 0;
  auto operator<=>(const DeviceNumber&) const = default;
};

// Whether it lets a process open the device for reading and writing. Empty: it does what device programs do
// not (it calls something, keeps something in memory, loops).
std::optional<bool> lets_open(const DeviceProgram& program, const DeviceNumber& device);

// It lets these be opened, and says of everything else what the program says. At most 100 devices are taken.
DeviceProgram opened_for(const DeviceProgram& program, const std::vector<DeviceNumber>& devices);
// The program that opened_for() was given with these devices; empty: it is not what that has made.
std::optional<DeviceProgram> without_opened(const DeviceProgram& program,
                                            const std::vector<DeviceNumber>& devices);

}  // namespace cib
