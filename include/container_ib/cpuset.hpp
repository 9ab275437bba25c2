// A set of processing units by operating-system number, of any size, with a canonical form (no trailing zero
// words).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/result.hpp"

namespace cib {

class CpuSet {
 public:
  CpuSet() = default;
  explicit CpuSet(std::vector<std::uint64_t> words);  // word 0 holds PUs 0..63

  void add(unsigned pu);
  bool has(unsigned pu) const;
  bool empty() const { return words_.empty(); }
  unsigned count() const;
  unsigned count_common(const CpuSet& other) const;
  std::vector<unsigned> list() const;  // ascending
  const std::vector<std::uint64_t>& words() const { return words_; }

  std::string hex() const;  // "0x0f"-like, lower case, no leading zeros, "0x0" when empty
  // One hexadecimal word of any length with or without "0x"; PUs above `max_pu` are refused.
  static Result<CpuSet> from_hex(std::string_view text, unsigned max_pu = 65535);

  bool operator==(const CpuSet&) const = default;

 private:
  void trim();
  std::vector<std::uint64_t> words_;
};

}  // namespace cib
