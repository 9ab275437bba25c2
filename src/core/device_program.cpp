#include "container_ib/device_program.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace cib {

namespace {

namespace bpf {
// From linux/bpf_common.h and linux/bpf.h: an instruction's class, and what it does in it.
constexpr unsigned load_class = 0x01, alu_class = 0x04, jump_class = 0x05, jump32_class = 0x06,
                   alu64_class = 0x07;
constexpr unsigned add = 0x00, subtract = 0x10, or_bits = 0x40, and_bits = 0x50, shift_left = 0x60,
                   shift_right = 0x70, xor_bits = 0xa0, move = 0xb0;
constexpr unsigned always = 0x00, if_equal = 0x10, if_above = 0x20, if_at_least = 0x30, if_any_bit = 0x40,
                   if_other = 0x50, leave = 0x90, if_below = 0xa0, if_at_most = 0xb0;
constexpr unsigned word = 0x00, half = 0x08, byte = 0x10, from_memory = 0x60, by_number = 0x00,
                   by_register = 0x08;
// struct bpf_cgroup_dev_ctx: what is asked, with `access << 16 | type` as the first field.
constexpr unsigned to_make = 1, to_read = 2, to_write = 4, character_device = 2;
constexpr int field_access = 0, field_major = 4, field_minor = 8;
}  // namespace bpf

constexpr std::size_t most_devices = 100;
constexpr std::size_t most_steps = 10'000;  // a program of systemd's has some ten for each device
constexpr int registers = 11;               // r0 to r10

// Where r1 leads to: struct bpf_cgroup_dev_ctx. A pointer is told from the numbers that a program compares.
constexpr std::uint64_t context = 1ULL << 40;

// A field of the context; empty: there is none.
std::optional<std::uint64_t> load(std::uint64_t address, unsigned size, const DeviceNumber& device) {
  constexpr std::uint32_t access = (bpf::to_read | bpf::to_write) << 16 | bpf::character_device;
  const std::array<std::uint32_t, 3> fields = {access, device.major, device.minor};
  const std::uint64_t at = address - context;
  if (address < context || at + size > sizeof fields || at % size != 0) return std::nullopt;
  const std::uint32_t field = fields.at(at / sizeof(std::uint32_t));
  const unsigned shift = static_cast<unsigned>(at % sizeof(std::uint32_t)) * 8;
  return size == 4 ? field : (field >> shift) & ((1U << (size * 8)) - 1);
}

std::optional<std::uint64_t> calculated(unsigned operation, std::uint64_t a, std::uint64_t b) {
  switch (operation) {
    case bpf::add:
      return a + b;
    case bpf::subtract:
      return a - b;
    case bpf::or_bits:
      return a | b;
    case bpf::and_bits:
      return a & b;
    case bpf::xor_bits:
      return a ^ b;
    case bpf::shift_left:
      return a << (b & 63);
    case bpf::shift_right:
      return a >> (b & 63);
    case bpf::move:
      return b;
    default:
      return std::nullopt;
  }
}

std::optional<bool> jumps(unsigned operation, std::uint64_t a, std::uint64_t b) {
  switch (operation) {
    case bpf::always:
      return true;
    case bpf::if_equal:
      return a == b;
    case bpf::if_other:
      return a != b;
    case bpf::if_above:
      return a > b;
    case bpf::if_at_least:
      return a >= b;
    case bpf::if_below:
      return a < b;
    case bpf::if_at_most:
      return a <= b;
    case bpf::if_any_bit:
      return (a & b) != 0;
    default:
      return std::nullopt;
  }
}

unsigned size_of_load(unsigned code) {
  switch (code & 0x18U) {
    case bpf::byte:
      return 1;
    case bpf::half:
      return 2;
    case bpf::word:
      return 4;
    default:
      return 0;
  }
}

// "Is it one of these, to be read or written?", and no register but 0 and 2 to 5 is used for it, which belong
// to nobody when a program begins.
DeviceProgram question(const std::vector<DeviceNumber>& devices) {
  constexpr unsigned load_word = bpf::load_class | bpf::from_memory | bpf::word,
                     copy = bpf::alu64_class | bpf::move | bpf::by_register,
                     set = bpf::alu64_class | bpf::move | bpf::by_number,
                     mask = bpf::alu64_class | bpf::and_bits | bpf::by_number,
                     unless = bpf::jump_class | bpf::if_other | bpf::by_number,
                     if_any = bpf::jump_class | bpf::if_any_bit | bpf::by_number;
  constexpr int for_each = 4;
  const auto count = static_cast<int>(std::min(devices.size(), most_devices));
  const int rest = count * for_each;
  DeviceProgram made = {
      bpf_instruction(load_word, 2, 1, bpf::field_access, 0),
      bpf_instruction(copy, 3, 2, 0, 0),
      bpf_instruction(mask, 3, 0, 0, 0xffff),
      bpf_instruction(unless, 3, 0, rest + 3, bpf::character_device),
      bpf_instruction(if_any, 2, 0, rest + 2, bpf::to_make << 16),
      bpf_instruction(load_word, 4, 1, bpf::field_major, 0),
      bpf_instruction(load_word, 5, 1, bpf::field_minor, 0),
  };
  for (int i = 0; i < count; ++i) {
    const DeviceNumber& device = devices[static_cast<std::size_t>(i)];
    made.push_back(bpf_instruction(unless, 4, 0, for_each - 1, static_cast<int>(device.major)));
    made.push_back(bpf_instruction(unless, 5, 0, for_each - 2, static_cast<int>(device.minor)));
    made.push_back(bpf_instruction(set, 0, 0, 0, 1));
    made.push_back(bpf_instruction(bpf::jump_class | bpf::leave, 0, 0, 0, 0));
  }
  return made;
}

}  // namespace

std::optional<bool> lets_open(const DeviceProgram& program, const DeviceNumber& device) {
  std::array<std::uint64_t, registers> value{};
  value[1] = context;
  std::size_t at = 0;
  for (std::size_t step = 0; step < most_steps && at < program.size(); ++step) {
    const BpfInstruction& now = program[at++];
    if (now.to >= registers || now.from >= registers) return std::nullopt;
    const unsigned kind = now.code & 0x07U, operation = now.code & 0xf0U;
    const bool narrow = kind == bpf::alu_class || kind == bpf::jump32_class;
    std::uint64_t& to = value.at(now.to);
    std::uint64_t with = (now.code & 0x08U) == bpf::by_register
                             ? value.at(now.from)
                             : static_cast<std::uint64_t>(std::int64_t{now.number});
    if (narrow) with &= 0xffffffffU;
    if (kind == bpf::load_class) {
      const unsigned size = size_of_load(now.code);
      if ((now.code & 0xe0U) != bpf::from_memory || size == 0) return std::nullopt;
      const auto field =
          load(value.at(now.from) + static_cast<std::uint64_t>(std::int64_t{now.offset}), size, device);
      if (!field) return std::nullopt;
      to = *field;
    } else if (kind == bpf::alu_class || kind == bpf::alu64_class) {
      const auto result = calculated(operation, narrow ? to & 0xffffffffU : to, with);
      if (!result) return std::nullopt;
      to = narrow ? *result & 0xffffffffU : *result;
    } else if (kind == bpf::jump_class && operation == bpf::leave) {
      return (value[0] & 1) != 0;
    } else if (kind == bpf::jump_class || kind == bpf::jump32_class) {
      const auto taken = jumps(operation, narrow ? to & 0xffffffffU : to, with);
      if (!taken || now.offset < 0) return std::nullopt;
      if (*taken) at += static_cast<std::size_t>(now.offset);
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
  if (program.size() <= begin.size() || !std::equal(begin.begin(), begin.end(), program.begin()))
    return std::nullopt;
  return DeviceProgram(program.begin() + static_cast<std::ptrdiff_t>(begin.size()), program.end());
}

}  // namespace cib
