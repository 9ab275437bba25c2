// Linked into the SPANK plugin: standard library only, and nothing runs before main.
#include <array>
#include <exception>

#include "container_ib/hca_selection.hpp"
#include "container_ib/request.hpp"
#include "container_ib/text.hpp"
#include "core/environment/profiles.hpp"

namespace cib {

namespace {

constexpr unsigned max_rails = 32;   // EFA devices of the largest machines
constexpr unsigned min_mtu = 68;     // ETH_MIN_MTU, Linux if_ether.h
constexpr unsigned max_mtu = 65520;  // IPoIB connected mode: IPOIB_CM_MTU, Linux ipoib.h
constexpr unsigned max_wait_s = 86400;

template <class T>
struct Choice {
  std::string_view name;
  T value;
};

template <class T, std::size_t N>
std::optional<T> choose(const Choice<T> (&choices)[N], std::string_view text) {
  for (const auto& choice : choices)
    if (choice.name == text) return choice.value;
  return std::nullopt;
}

std::optional<unsigned> in_range(std::string_view text, unsigned low, unsigned high) {
  const auto value = whole_number<unsigned>(text);
  return value && *value >= low && *value <= high ? value : std::nullopt;
}

std::optional<bool> yes_no(std::string_view text) {
  return choose<bool>({{"yes", true}, {"no", false}}, text);
}
std::optional<Place> place_name(std::string_view text) {
  return choose<Place>(
      {{"balanced", Place::balanced}, {"nearest", Place::nearest}, {"spread", Place::spread}}, text);
}
std::optional<Gpus> gpu_name(std::string_view text) {
  return choose<Gpus>({{"auto", Gpus::auto_}, {"local", Gpus::local}, {"no", Gpus::no}}, text);
}
std::optional<Roce> roce_name(std::string_view text) {
  return choose<Roce>(
      {{"no", Roce::no}, {"yes", Roce::yes}, {"only", Roce::only}, {"fallback", Roce::fallback}}, text);
}
std::optional<Scope> scope_name(std::string_view text) {
  return choose<Scope>({{"auto", Scope::auto_}, {"task", Scope::task}, {"node", Scope::node}}, text);
}
std::optional<Inject> inject_name(std::string_view text) {
  return choose<Inject>({{"no", Inject::no}, {"providers", Inject::providers}}, text);
}
std::optional<ReportLevel> report_name(std::string_view text) {
  return choose<ReportLevel>(
      {{"off", ReportLevel::off}, {"summary", ReportLevel::summary}, {"full", ReportLevel::full}}, text);
}
std::optional<Folder> folder_name(std::string_view text) {
  return choose<Folder>({{"auto", Folder::auto_}, {"yes", Folder::yes}, {"no", Folder::no}}, text);
}
std::optional<unsigned> rails_number(std::string_view text) {
  if (text == "all") return all_rails;
  return text == "auto" ? std::optional<unsigned>(0) : in_range(text, 1, max_rails);
}
std::optional<unsigned> mtu_number(std::string_view text) { return in_range(text, min_mtu, max_mtu); }
std::optional<unsigned> wait_seconds(std::string_view text) { return in_range(text, 0, max_wait_s); }

std::optional<std::string> hca_selection(std::string_view text) {
  return HcaSelection::parse(text) ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::string> fabric_name(std::string_view text) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  constexpr std::size_t longest_name = 32;
  if (const auto subnet = parse_subnet(text)) return subnet_text(*subnet);
  constexpr std::size_t letters = 52;
  if (text.empty() || text.size() > longest_name || allowed.find(text[0]) >= letters ||
      text.find_first_not_of(allowed) != std::string_view::npos)
    return std::nullopt;
  return std::string(text);  // resolve() knows which ones the site has
}

// IBTA 10.9.1: the low 15 bits are the partition, of which 0 is invalid; bit 15 is the membership.
std::optional<std::uint16_t> pkey_number(std::string_view text) {
  const auto value = prefixed_hex<std::uint16_t>(text);
  return value && text.size() <= 6 && (*value & 0x7fff) != 0 ? value : std::nullopt;
}

std::optional<std::vector<std::string>> profile_list(std::string_view text) {
  if (text == "auto" || text == "none") return std::vector<std::string>{std::string(text)};
  std::vector<std::string> list;
  for (const auto word : split(text, '+')) {
    bool known = false;
    for (const auto& profile : profiles) known = known || profile.name == word;
    for (const auto& earlier : list) known = known && earlier != word;
    if (!known) return std::nullopt;
    list.emplace_back(word);
  }
  return list;
}

std::string profiles_allowed() {
  std::string text = "auto, none, or some of";
  for (const auto& profile : profiles) text.append(" ").append(profile.name);
  return text + ", each once, with + between";
}

template <auto Field>
bool given(const Request& request) {
  return (request.*Field).has_value();
}

template <auto Field, auto Read>
bool assign(Request& request, std::string_view text) {
  auto value = Read(text);
  if (!value) return false;
  request.*Field = std::move(value);
  return true;
}

struct Key {
  std::string_view name;
  std::string_view allowed;  // empty: profiles_allowed()
  bool (*given)(const Request&);
  bool (*assign)(Request&, std::string_view);
};

template <auto Field, auto Read>
constexpr Key key(std::string_view name, std::string_view allowed) {
  return {name, allowed, given<Field>, assign<Field, Read>};
}

constexpr std::array keys = {
    key<&Request::require, yes_no>("require", "yes and no"),
    key<&Request::rails, rails_number>("rails", "auto, all and 1 to 32"),
    key<&Request::hca, hca_selection>(
        "hca", "device names or globs, ports, PCI addresses and GUIDs, such as mlx5_[0-3]+^mlx5_2"),
    key<&Request::place, place_name>("place", "balanced, nearest and spread"),
    key<&Request::fabric, fabric_name>("fabric",
                                       "auto, all, a subnet prefix such as fe80:0000:0000:0000 or fe80::/LID "
                                       "of its subnet manager, and a name of the site's"),
    key<&Request::roce, roce_name>("roce", "no, yes, only and fallback"),
    key<&Request::gpu, gpu_name>("gpu", "auto, local and no"),
    key<&Request::scope, scope_name>("scope", "auto, task and node"),
    key<&Request::pkey, pkey_number>("pkey", "0x0001 to 0xffff, but not 0x8000"),
    key<&Request::mtu, mtu_number>("mtu", "68 to 65520"),
    key<&Request::env, profile_list>("env", ""),
    key<&Request::report, report_name>("report", "off, summary and full"),
    key<&Request::umad, yes_no>("umad", "yes and no"),
    key<&Request::inject, inject_name>("inject", "no and providers"),
    key<&Request::batch, yes_no>("batch", "yes and no"),
    key<&Request::wait_s, wait_seconds>("wait", "0 to 86400 seconds"),
    key<&Request::folder, folder_name>("folder", "auto, yes and no"),
};

const Key* find_key(std::string_view name) {
  for (const auto& entry : keys)
    if (entry.name == name) return &entry;
  return nullptr;
}

Error in_option(Error error) {
  error.what.insert(0, "--container-ib: ");
  return error;
}

std::vector<std::string_view> known_modes() {
  std::vector<std::string_view> names;
  for (const ModeName& row : mode_table) names.push_back(row.name);
  return names;
}

Result<Request> parse(std::string_view text) {
  Request request;
  if (text.empty()) return request;
  const auto words = split(text, ',');
  const auto mode = mode_from_name(words[0]);
  if (!mode)
    return in_option(error(Errc::bad_request, "unknown mode '" + printable(words[0]) + "'; " +
                                                  did_you_mean(words[0], known_modes()) + "modes are " +
                                                  mode_names() + ", before any key=value"));
  request.mode = *mode;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string_view::npos)
      return in_option(error(
          Errc::bad_request,
          "'" + printable(words[i]) + "' is not of the form key=value; keys are " + join(request_keys())));
    const std::string_view name = words[i].substr(0, equals);
    if (key_is_given(request, name))
      return in_option(
          error(Errc::bad_request, "key '" + std::string(name) + "' is given twice; allowed once"));
    if (auto status = set_key(request, name, words[i].substr(equals + 1)); !status)
      return in_option(std::move(status).error());
  }
  return request;
}

}  // namespace

const std::vector<std::string_view>& request_keys() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const auto& entry : keys) list.push_back(entry.name);
    return list;
  }();
  return names;
}

bool key_is_given(const Request& request, std::string_view name) {
  const Key* found = find_key(name);
  return found != nullptr && found->given(request);
}

Status set_key(Request& request, std::string_view name, std::string_view value) {
  const Key* found = find_key(name);
  if (found == nullptr)
    return error(Errc::bad_request, "unknown key '" + printable(name) + "'; " +
                                        did_you_mean(name, request_keys()) + "keys are " +
                                        join(request_keys()));
  if (found->assign(request, value)) return {};
  const std::string allowed = found->allowed.empty() ? profiles_allowed() : std::string(found->allowed);
  return error(Errc::bad_request, std::string(name) + "=" + printable(value) + ": allowed are " + allowed);
}

// Only memory can run out here; slurmstepd must not see that as an exception.
Result<Request> parse_request(std::string_view text) {
  try {
    return parse(text);
  } catch (const std::exception&) {
    return error(Errc::bug, "out of memory");
  }
}

}  // namespace cib
