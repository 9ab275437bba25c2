// A hash that is the same on every machine and in every release.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/model.hpp"
#include "container_ib/text.hpp"

namespace cib {

// FNV-1a: small, stable over machines and releases, and nobody's security depends on it.
class Hash {
 public:
  void add(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      state_ ^= value >> shift & 0xff;
      state_ *= 0x100000001b3;
    }
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) {
      state_ ^= static_cast<unsigned char>(c);
      state_ *= 0x100000001b3;
    }
  }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(const PciAddress& pci) { add(pci.text()); }
  template <class T>
  void add(const std::vector<T>& values) {
    add(std::uint64_t{values.size()});
    for (const auto& value : values) add(value);
  }

  std::uint64_t number() const { return state_; }
  std::string text() const {  // eight hexadecimal digits
    return hex(state_ ^ state_ >> 32, 8);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

}  // namespace cib
