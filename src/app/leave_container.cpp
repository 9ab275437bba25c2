#include "app/leave_container.hpp"

#include "app/give_back.hpp"
#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

// Another step or attachment that lives and has devices in the container.
Result<bool> others_are_in(StoredSteps& stored, const std::string& container, const std::string& name) {
  CIB_TRY(const auto steps, stored.steps());
  CIB_TRY(const std::string boot, stored.boot_id());
  for (const JournaledStep& other : steps) {
    if (other.name == name) continue;
    const StepState state = state_of(stored, boot, other);
    if (state == StepState::unreadable)
      return Error(other.records.error()).in(title_of(other.name) + ", which may be in the same container");
    if ((state == StepState::running || state == StepState::ending) &&
        !ports_in_container(*other.records, container).empty())
      return true;
  }
  return false;
}

// Settles in turn with who comes into the container now that we are out of it, and what of ours is there; who
// comes after that mounts over it. Empty: nothing is to be taken away.
Result<std::vector<ContainerMount>> leave(StoredSteps& stored, Kernel& kernel,
                                          const JournaledStep& attachment, const std::string& container) {
  const auto& records = *attachment.records;
  CIB_TRY(const auto turn, kernel.claims_turn());
  CIB_TRY(const bool shared, others_are_in(stored, container, attachment.name));
  std::vector<ContainerMount> mounts;
  if (!shared) {
    CIB_TRY(mounts, stored.device_mounts_of(process_of(records, {opened(records)->stepd}), container));
  }
  Record left{.seq = static_cast<std::uint32_t>(records.size() + 1),
              .mark = Mark::undone,
              .event = DevicesMounted{0, "", container}};
  CIB_CHECK(stored.note(attachment.name, left));
  return mounts;
}

// It ends with the container, so of a dead one there is nothing to do.
Status take_devices_away(StoredSteps& stored, Kernel& kernel, const JournaledStep& attachment) {
  const auto& records = *attachment.records;
  const std::string container = container_of(records);
  if (container.empty()) return {};
  const JournaledProcess process = process_of(records, {opened(records)->stepd});
  if (!stored.is_alive(process)) return {};
  CIB_TRY(const auto mounts, leave(stored, kernel, attachment, container));
  return mounts.empty() ? Status() : stored.unmount_devices(process, container, mounts);
}

Status check_may_be_detached(const std::string& name, const JournaledStep& attachment) {
  if (!attachment.held) return {};
  const Opened* open = attachment.records ? opened(*attachment.records) : nullptr;
  return error(Errc::in_use, name + " is being attached by " +
                                 (open == nullptr ? "another process" : "pid " + open->agent.pid) +
                                 "; try again when that has ended");
}

}  // namespace

std::vector<std::string> give_container_back(StoredSteps& stored, Kernel& kernel,
                                             const JournaledStep& attachment) {
  std::vector<std::string> failed;
  if (opened(*attachment.records) != nullptr)
    if (auto status = take_devices_away(stored, kernel, attachment); !status)
      failed.push_back(std::string(DevicesMounted::verb) + ": " + status.error().message());
  const auto others = give_back(kernel, in_force(*attachment.records)).failed;
  failed.insert(failed.end(), others.begin(), others.end());
  return failed;
}

Result<Detached> detach(StoredSteps& stored, Kernel& kernel, const std::string& name) {
  if (!is_container_attachment(name))
    return error(Errc::bad_request,
                 printable(name) +
                     " is no attachment to a container, as pid-4711 is; what a step has is "
                     "given back when it ends, and scancel ends it");
  Detached detached;
  Status status = error(Errc::not_found, name + " is not attached on this node");
  const auto give_back_now = [&](const JournaledStep& attachment) {
    status = check_may_be_detached(name, attachment);
    if (status.ok() && !attachment.records && attachment.records.error().code == Errc::corrupt)
      status = Error(attachment.records.error()).in(name);
    if (!status) return;
    const JournaledStep whole{name, attachment.records ? *attachment.records : std::vector<Record>{}};
    detached.failed = give_container_back(stored, kernel, whole);
    if (detached.failed.empty()) status = stored.forget(name);
  };
  CIB_CHECK(stored.exclusively(name, give_back_now));
  if (!status) return std::move(status).error();
  return detached;
}

}  // namespace cib
