#include "container_ib/device_program.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace cib {

namespace {

constexpr std::size_t most_devices = 100;
constexpr std::size_t most_steps = 10'000;  // a program of systemd's has some ten for each device
constexpr int registers = 11;               // r0 to r10

// Where r1 leads to: struct bpf_cgroup_dev_ctx. A pointer is told from the numbers that a program compares.
constexpr std::uint64_t context = 1ULL << 40;

bpf_insn instruction(unsigned code, unsigned to, unsigned from, int offset, int number) {
  bpf_insn made{};
  made.code = static_cast<__u8>(code);
  made.dst_reg = static_cast<__u8>(to & 15U);
  made.src_reg = static_cast<__u8>(from & 15U);
  made.off = static_cast<__s16>(offset);
  made.imm = number;
  return made;
}

bool is_same(const bpf_insn& a, const bpf_insn& b) {
  return a.code == b.code && a.dst_reg == b.dst_reg && a.src_reg == b.src_reg && a.off == b.off &&
         a.imm == b.imm;
}

// A field of the context; empty: there is none.
std::optional<std::uint64_t> load(std::uint64_t address, unsigned size, const DeviceNumber& device) {
  constexpr std::uint32_t access = (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE) << 16 | BPF_DEVCG_DEV_CHAR;
  const std::array<std::uint32_t, 3> fields = {access, device.major, device.minor};
  const std::uint64_t at = address - context;
  if (address < context || at + size > sizeof fields || at % size != 0) return std::nullopt;
  const std::uint32_t field = fields.at(at / sizeof(std::uint32_t));
  const unsigned shift = static_cast<unsigned>(at % sizeof(std::uint32_t)) * 8;
  return size == 4 ? field : (field >> shift) & ((1U << (size * 8)) - 1);
}

std::optional<std::uint64_t> calculated(unsigned operation, std::uint64_t a, std::uint64_t b) {
  switch (operation) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_OR:
      return a | b;
    case BPF_AND:
      return a & b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return a << (b & 63);
    case BPF_RSH:
      return a >> (b & 63);
    case BPF_MOV:
      return b;
    default:
      return std::nullopt;
  }
}

std::optional<bool> jumps(unsigned operation, std::uint64_t a, std::uint64_t b) {
  switch (operation) {
    case BPF_JA:
      return true;
    case BPF_JEQ:
      return a == b;
    case BPF_JNE:
      return a != b;
    case BPF_JGT:
      return a > b;
    case BPF_JGE:
      return a >= b;
    case BPF_JLT:
      return a < b;
    case BPF_JLE:
      return a <= b;
    case BPF_JSET:
      return (a & b) != 0;
    default:
      return std::nullopt;
  }
}

unsigned size_of_load(unsigned code) {
  switch (BPF_SIZE(code)) {
    case BPF_B:
      return 1;
    case BPF_H:
      return 2;
    case BPF_W:
      return 4;
    default:
      return 0;
  }
}

// "Is it one of these, to be read or written?", and no register but 0 and 2 to 5 is used for it, which belong
// to nobody when a program begins.
DeviceProgram question(const std::vector<DeviceNumber>& devices) {
  constexpr unsigned load_word = BPF_LDX | BPF_MEM | BPF_W, copy = BPF_ALU64 | BPF_MOV | BPF_X,
                     set = BPF_ALU64 | BPF_MOV | BPF_K, mask = BPF_ALU64 | BPF_AND | BPF_K,
                     unless = BPF_JMP | BPF_JNE | BPF_K, if_any = BPF_JMP | BPF_JSET | BPF_K;
  constexpr int for_each = 4;
  const auto count = static_cast<int>(std::min(devices.size(), most_devices));
  const int rest = count * for_each;
  DeviceProgram made = {
      instruction(load_word, 2, 1, offsetof(bpf_cgroup_dev_ctx, access_type), 0),
      instruction(copy, 3, 2, 0, 0),
      instruction(mask, 3, 0, 0, 0xffff),
      instruction(unless, 3, 0, rest + 3, BPF_DEVCG_DEV_CHAR),
      instruction(if_any, 2, 0, rest + 2, BPF_DEVCG_ACC_MKNOD << 16),
      instruction(load_word, 4, 1, offsetof(bpf_cgroup_dev_ctx, major), 0),
      instruction(load_word, 5, 1, offsetof(bpf_cgroup_dev_ctx, minor), 0),
  };
  for (int i = 0; i < count; ++i) {
    const DeviceNumber& device = devices[static_cast<std::size_t>(i)];
    made.push_back(instruction(unless, 4, 0, for_each - 1, static_cast<int>(device.major)));
    made.push_back(instruction(unless, 5, 0, for_each - 2, static_cast<int>(device.minor)));
    made.push_back(instruction(set, 0, 0, 0, 1));
    made.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  }
  return made;
}

}  // namespace

std::optional<bool> lets_open(const DeviceProgram& program, const DeviceNumber& device) {
  std::array<std::uint64_t, registers> value{};
  value[1] = context;
  std::size_t at = 0;
  for (std::size_t step = 0; step < most_steps && at < program.size(); ++step) {
    const bpf_insn& now = program[at++];
    if (now.dst_reg >= registers || now.src_reg >= registers) return std::nullopt;
    const unsigned kind = BPF_CLASS(now.code), operation = BPF_OP(now.code);
    const bool narrow = kind == BPF_ALU || kind == BPF_JMP32;
    std::uint64_t& to = value.at(now.dst_reg);
    std::uint64_t with = BPF_SRC(now.code) == BPF_X ? value.at(now.src_reg)
                                                    : static_cast<std::uint64_t>(std::int64_t{now.imm});
    if (narrow) with &= 0xffffffffU;
    if (kind == BPF_LDX) {
      const unsigned size = size_of_load(now.code);
      if (BPF_MODE(now.code) != BPF_MEM || size == 0) return std::nullopt;
      const auto field =
          load(value.at(now.src_reg) + static_cast<std::uint64_t>(std::int64_t{now.off}), size, device);
      if (!field) return std::nullopt;
      to = *field;
    } else if (kind == BPF_ALU || kind == BPF_ALU64) {
      const auto result = calculated(operation, narrow ? to & 0xffffffffU : to, with);
      if (!result) return std::nullopt;
      to = narrow ? *result & 0xffffffffU : *result;
    } else if (kind == BPF_JMP && operation == BPF_EXIT) {
      return (value[0] & 1) != 0;
    } else if (kind == BPF_JMP || kind == BPF_JMP32) {
      const auto taken = jumps(operation, narrow ? to & 0xffffffffU : to, with);
      if (!taken || now.off < 0) return std::nullopt;
      if (*taken) at += static_cast<std::size_t>(now.off);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

DeviceProgram opened_for(const DeviceProgram& program, const std::vector<DeviceNumber>& devices) {
  DeviceProgram made = question(devices);
  made.insert(made.end(), program.begin(), program.end());
  return made;
}

std::optional<DeviceProgram> without_opened(const DeviceProgram& program,
                                            const std::vector<DeviceNumber>& devices) {
  const DeviceProgram begin = question(devices);
  if (program.size() <= begin.size() || !std::equal(begin.begin(), begin.end(), program.begin(), is_same))
    return std::nullopt;
  return DeviceProgram(program.begin() + static_cast<std::ptrdiff_t>(begin.size()), program.end());
}

}  // namespace cib
