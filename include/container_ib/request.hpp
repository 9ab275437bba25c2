// What a user asks for: --container-ib=MODE[,key=value...].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "container_ib/mode.hpp"
#include "container_ib/result.hpp"

namespace cib {

enum class Place { balanced, nearest, spread };
enum class Gpus { auto_, local, no };
enum class Roce { no, yes, only, fallback };
enum class Scope { auto_, task, node };
enum class Inject { no, providers };
enum class ReportLevel { off, summary, full };
enum class Folder { auto_, yes, no };

inline constexpr unsigned all_rails = ~0U;

// Keys that were not given stay empty; resolve() fills them from the site's defaults.
struct Request {
  Mode mode = Mode::auto_;
  std::optional<bool> require;
  std::optional<unsigned> rails;   // 0: auto; all_rails
  std::optional<std::string> hca;  // as HcaSelection reads it
  std::optional<Place> place;
  std::optional<std::string> fabric;  // "auto", "all", subnet_text() or the name of one of the site's
  std::optional<Roce> roce;
  std::optional<Gpus> gpu;
  std::optional<Scope> scope;
  std::optional<std::uint16_t> pkey;
  std::optional<unsigned> mtu;
  std::optional<std::vector<std::string>> env;  // profiles; {"auto"} or {"none"} alone
  std::optional<ReportLevel> report;
  std::optional<bool> umad;
  std::optional<Inject> inject;
  std::optional<bool> batch;
  std::optional<unsigned> wait_s;
  std::optional<Folder> folder;

  bool operator==(const Request&) const = default;
};

// Strict and total: any text of any length gives a Request or an error of code bad_request whose text names
// the operand and what is allowed. Empty text means "auto". Each key at most once.
Result<Request> parse_request(std::string_view text);

// The keys of a request by name, for whoever holds one as text: the site's configuration.
const std::vector<std::string_view>& request_keys();
bool key_is_given(const Request& request, std::string_view key);  // false for an unknown key
// Sets or replaces one key. The error's text has the form "rails=9: allowed are auto and 1 to 8".
Status set_key(Request& request, std::string_view key, std::string_view value);

// "0xfe80000000000000" for "fe80:0000:0000:0000", "fe80::" or the number itself.
std::optional<std::uint64_t> parse_subnet_prefix(std::string_view text);
std::string subnet_prefix_text(std::uint64_t prefix);  // "fe80:0000:0000:0000"

// A subnet by its prefix and, where others have that too, the LID of its subnet manager (0: not given).
struct Subnet {
  std::uint64_t prefix = 0;
  std::uint32_t sm_lid = 0;
};
std::optional<Subnet> parse_subnet(std::string_view text);  // "fe80::", "fe80::/5", "fe80::/0x5"
std::string subnet_text(const Subnet& subnet);              // "fe80:0000:0000:0000/5"

}  // namespace cib
