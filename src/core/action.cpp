#include "container_ib/action.hpp"

#include "container_ib/hash.hpp"
#include "container_ib/text.hpp"

namespace cib {

std::string claim_owner(const std::string& step, const std::string& agent_start, std::uint32_t uid) {
  return step + '@' + agent_start + ':' + std::to_string(uid);
}

std::optional<std::uint32_t> uid_of_claim(const std::string& owner) {
  const auto colon = owner.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return whole_number<std::uint32_t>(owner.substr(colon + 1));
}

std::string link_tag(const std::string& owner, const NetnsFile& netns, const std::string& name) {
  return "container-ib:" + owner + ':' + netns.substr(netns.rfind('/') + 1) + ':' + name;
}

std::string temporary_link_name(const std::string& owner) {
  Hash hash;
  hash.add(owner);
  return "cib" + hex(hash.number() >> 16, 12);
}

std::string_view verb_of(const Action& action) {
  return std::visit([](const auto& one) { return one.verb; }, action);
}

std::string thing_of(const Action& action) {
  return std::visit([](const auto& one) { return one.thing(); }, action);
}

std::vector<std::string> rests_on(const Action& action) {
  return std::visit([](const auto& one) { return one.rests_on(); }, action);
}

}  // namespace cib
