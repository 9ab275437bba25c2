#include "container_ib/action.hpp"

#include <type_traits>

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

bool is_made_for_a_step(const std::string& name, const std::string& alias) {
  return alias.starts_with("container-ib:") || glob_match("cib????????????", name);
}

std::string_view verb_of(const Action& action) {
  return std::visit([](const auto& one) { return one.verb; }, action);
}

std::string thing_of(const Action& action) {
  return std::visit([](const auto& one) { return one.thing(); }, action);
}

bool makes_link(const Action& action, const std::string& name, const std::string& tag) {
  const auto makes = [&](const auto& one) {
    if constexpr (std::remove_cvref_t<decltype(one)>::is == ActionIs::making_a_link)
      return tag.empty() ? one.temporary == name : one.owner == tag;
    else
      return false;
  };
  return std::visit(makes, action);
}

std::vector<std::string> rests_on(const Action& action) {
  return std::visit([](const auto& one) { return one.rests_on(); }, action);
}

}  // namespace cib
