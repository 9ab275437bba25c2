#include "agent/task_conversation.hpp"

#include <algorithm>

#include "container_ib/environment.hpp"
#include "container_ib/pmix_endpoint.hpp"
#include "container_ib/wire.hpp"

namespace cib {

Result<TaskConversation::Heard> TaskConversation::hear(const void* bytes, std::size_t size,
                                                       std::size_t descriptors) {
  begun_ = true;
  CIB_TRY(const wire::Kind kind, wire::kind_of(bytes, size));
  if (ready_) return error(Errc::corrupt, "a message after it was ready");
  if (kind == wire::Kind::namespaces) {
    CIB_TRY(const auto message, wire::read_frame<wire::Namespaces>(bytes, size));
    if (descriptors != 1) return error(Errc::corrupt, "not one descriptor for its mount namespace");
    if (has_namespace_) return error(Errc::corrupt, "a second mount namespace");
    has_namespace_ = true;
    container_option_ = message.container_option.get();
    return Heard::mount_namespace;
  }
  if (descriptors != 0) return error(Errc::corrupt, "a descriptor that nobody asked for");
  if (kind == wire::Kind::user_variable) {
    CIB_CHECK(hear_variable(bytes, size));
    return Heard::variable;
  }
  if (kind == wire::Kind::ready) {
    CIB_TRY(const auto message, wire::read_frame<wire::Ready>(bytes, size));
    facts_.gpus = message.gpus.get();
    facts_.nics = message.nics.get();
    facts_.user_namespace = message.user_namespace != 0;
    ready_ = true;
    return Heard::ready;
  }
  return error(Errc::corrupt, "a message that tasks do not send");
}

bool TaskConversation::ask(const std::vector<std::string>& names) {
  if (!asked_.empty() || names.empty()) return false;
  asked_.insert(names.begin(), names.end());
  ready_ = false;
  return true;
}

Status TaskConversation::hear_variable(const void* bytes, std::size_t size) {
  CIB_TRY(const auto message, wire::read_frame<wire::UserVariable>(bytes, size));
  const auto& known = environment_inputs();
  const auto& servers = pmix_server_variables();
  const std::string name = message.name.get();
  if (std::find(servers.begin(), servers.end(), name) != servers.end()) {
    if (!servers_.insert(name).second) return error(Errc::corrupt, name + " a second time");
    facts_.pmix_servers.push_back(message.value.get());
    return {};
  }
  if (std::find(known.begin(), known.end(), name) == known.end() && !asked_.contains(name))
    return error(Errc::corrupt, "an unknown variable");
  if (!facts_.user_variables.emplace(name, message.value.get()).second)
    return error(Errc::corrupt, name + " a second time");
  return {};
}

}  // namespace cib
