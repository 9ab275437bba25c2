// Linked into the SPANK plugin: standard library only, and nothing runs before main.
#include "container_ib/hca_selection.hpp"

#include <algorithm>

#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::size_t longest_selection = 512;

// What names of RDMA and network devices can be made of, and what a glob adds to that. A ':' also lets it
// name one port.
constexpr std::string_view glob_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:*?[]!";

// A set that is not closed, and a '!' outside of one, stand for themselves in a glob; no name has them.
bool closes_its_sets(std::string_view glob) {
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == ']' || glob[i] == '!') return false;
    if (glob[i] != '[') continue;
    if (++i < glob.size() && glob[i] == '!') ++i;
    const std::size_t close = glob.find(']', i + 1);  // a ']' that comes first is a member
    if (close == std::string_view::npos) return false;
    i = close;
  }
  return true;
}

std::optional<PciAddress> pci_of(std::string_view text) {
  auto parsed = PciAddress::parse(text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

std::optional<std::uint64_t> guid_of(std::string_view text) {
  if (text.starts_with("0x") && text.size() == 18) return prefixed_hex<std::uint64_t>(text);
  return parse_guid(text);
}

}  // namespace

std::optional<HcaSelection::Term> HcaSelection::Term::parse(std::string_view text) {
  Term term;
  if (text.starts_with('^')) {
    term.excludes = true;
    text.remove_prefix(1);
  }
  if (text.empty() || text.find_first_not_of(glob_characters) != std::string_view::npos) return std::nullopt;
  term.guid = guid_of(text);
  if (!term.guid) term.pci = pci_of(text);
  if (!term.guid && !term.pci) {
    // Between colons is a port's number, so what has more of them is an address or a GUID with a mistake.
    if (!closes_its_sets(text) || std::count(text.begin(), text.end(), ':') > 1) return std::nullopt;
    term.glob = std::string(text);
  }
  return term;
}

bool HcaSelection::Term::matches(const Port& port) const {
  if (pci) return port.pci == pci;
  if (guid)
    return *guid != 0 && (port.node_guid == *guid || port.port_guid == *guid || port.sys_image_guid == *guid);
  return glob_match(glob, port.device) || glob_match(glob, port.name()) ||
         std::any_of(port.netdevs.begin(), port.netdevs.end(),
                     [&](const std::string& netdev) { return glob_match(glob, netdev); });
}

bool HcaSelection::add(std::string_view text) {
  if (text.size() > longest_selection) return false;
  for (const std::string_view word : split(text, '+')) {
    auto term = Term::parse(word);
    if (!term) return false;
    terms_.push_back(std::move(*term));
  }
  return true;
}

std::optional<HcaSelection> HcaSelection::parse(std::string_view text) {
  HcaSelection selection;
  return selection.add(text) ? std::optional(std::move(selection)) : std::nullopt;
}

std::optional<HcaSelection> HcaSelection::parse(const std::vector<std::string>& texts) {
  HcaSelection selection;
  for (const std::string& text : texts)
    if (!selection.add(text)) return std::nullopt;
  return selection;
}

bool HcaSelection::matches(const Port& port) const {
  bool chosen = !terms_.empty() &&
                std::all_of(terms_.begin(), terms_.end(), [](const Term& term) { return term.excludes; });
  for (const Term& term : terms_) {
    if (term.excludes && term.matches(port)) return false;
    chosen = chosen || (!term.excludes && term.matches(port));
  }
  return chosen;
}

bool HcaSelection::names(const Port& port) const {
  return matches(port) && std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) {
           return !term.excludes && !term.has_wildcard() && term.matches(port);
         });
}

}  // namespace cib
