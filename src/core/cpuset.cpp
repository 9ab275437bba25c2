#include "container_ib/cpuset.hpp"

#include <algorithm>
#include <bit>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr unsigned bits = 64;

}  // namespace

CpuSet::CpuSet(std::vector<std::uint64_t> words) : words_(std::move(words)) { trim(); }

void CpuSet::trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

void CpuSet::add(unsigned pu) {
  if (pu / bits >= words_.size()) words_.resize(pu / bits + 1);
  words_[pu / bits] |= std::uint64_t{1} << (pu % bits);
}

bool CpuSet::has(unsigned pu) const {
  return pu / bits < words_.size() && (words_[pu / bits] >> (pu % bits) & 1) != 0;
}

unsigned CpuSet::count() const { return count_common(*this); }

unsigned CpuSet::count_common(const CpuSet& other) const {
  unsigned n = 0;
  for (std::size_t i = 0; i < std::min(words_.size(), other.words_.size()); ++i)
    n += static_cast<unsigned>(std::popcount(words_[i] & other.words_[i]));
  return n;
}

std::vector<unsigned> CpuSet::list() const {
  std::vector<unsigned> pus;
  for (std::size_t i = 0; i < words_.size(); ++i)
    for (std::uint64_t word = words_[i]; word != 0; word &= word - 1)
      pus.push_back(static_cast<unsigned>(i * bits) + static_cast<unsigned>(std::countr_zero(word)));
  return pus;
}

std::string CpuSet::hex() const {
  std::string digits;
  for (std::size_t i = words_.size(); i-- > 0;) digits += cib::hex(words_[i], bits / 4);
  const auto first = digits.find_first_not_of('0');
  return "0x" + (first == std::string::npos ? "0" : digits.substr(first));
}

Result<CpuSet> CpuSet::from_hex(std::string_view text, unsigned max_pu) {
  std::string_view digits = text;
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  const auto bad = [&](const char* why) {
    return error(Errc::bad_request, "CPU mask '" + printable(text) + "': " + why);
  };
  if (digits.empty()) return bad("no hexadecimal digit");
  CpuSet set;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const auto value = whole_number<unsigned>(digits.substr(digits.size() - 1 - i, 1), 16);
    if (!value) return bad("not a hexadecimal word like 0x0f");
    for (unsigned bit = 0; bit < 4; ++bit) {
      if ((*value >> bit & 1) == 0) continue;
      if (i * 4 + bit > max_pu) return bad("names a CPU that is too large");
      set.add(static_cast<unsigned>(i * 4 + bit));
    }
  }
  return set;
}

}  // namespace cib
