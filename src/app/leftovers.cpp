#include "app/leftovers.hpp"

#include <algorithm>

#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using Steps = std::vector<JournaledStep>;

template <class Holds>
bool some_record(const Steps& steps, Holds holds) {
  return std::any_of(steps.begin(), steps.end(), [&](const JournaledStep& step) {
    return step.records && std::any_of(step.records->begin(), step.records->end(), holds);
  });
}

// A journal that nobody can read may have any claim of its step.
bool may_be_unreadable_steps(const Steps& steps, const std::string& owner) {
  return std::any_of(steps.begin(), steps.end(), [&](const JournaledStep& step) {
    return !step.records && owner.starts_with(step.name + '@');
  });
}

std::vector<std::string> of_claims(const Steps& steps, const Marked& before, const Marked& after) {
  std::vector<std::string> lines;
  for (const auto& [name, owner] : before.claims) {
    const auto still = after.claims.find(name);
    if (still == after.claims.end() || still->second != owner || may_be_unreadable_steps(steps, owner))
      continue;
    const auto takes_it = [wanted = Claim{name, owner}](const Record& record) {
      const auto* claim = get_if<Claim>(record);
      return claim != nullptr && *claim == wanted;
    };
    if (!some_record(steps, takes_it))
      lines.push_back("claim " + printable(name) + " is that of '" + printable(owner) +
                      "', which no journal has; remove the file " + printable(name) +
                      " in claims of the state directory");
  }
  return lines;
}

std::vector<std::string> of_links(const Steps& steps, const Marked& before, const Marked& after) {
  std::vector<std::string> lines;
  for (const auto& [name, tag] : before.links) {
    const auto still = after.links.find(name);
    if (still == after.links.end() || still->second != tag) continue;
    const auto makes_it = [&link = name, &owner = tag](const Record& record) {
      const auto* action = get_if<Action>(record);
      return action != nullptr && makes_link(*action, link, owner);
    };
    if (!some_record(steps, makes_it))
      lines.push_back("interface " + printable(name) + " was made for a step, and no journal has it; " +
                      "'ip link del " + printable(name) + "'");
  }
  return lines;
}

std::string of_step(StoredSteps& stored, const std::string& boot, const JournaledStep& step) {
  switch (state_of(stored, boot, step)) {
    case StepState::running:
      return "";
    case StepState::ending:
      return "is ending: " + explain_ending(step) +
             ", gives back; if it does not end, its lines in syslog say why";
    case StepState::unreadable:
      return step.records.error().message() + "; look at its journal and remove the directory by hand";
    case StepState::of_earlier_boot:
      return "is of an earlier boot; run 'container-ib reap'";
    case StepState::orphaned:
      break;
  }
  if (const std::string process = step.records ? quarantined(*step.records) : ""; !process.empty())
    return "is quarantined: " + printable(process) +
           " could not be killed; when it has ended run 'container-ib reap'";
  return "has no living owner; run 'container-ib reap'";
}

}  // namespace

Result<std::vector<std::string>> leftovers(StoredSteps& stored, const std::function<Result<Marked>()>& look) {
  CIB_TRY(const std::string boot, stored.boot_id());
  CIB_TRY(const Marked before, look());
  CIB_TRY(const Steps steps, stored.steps());
  CIB_TRY(const Marked after, look());
  std::vector<std::string> lines;
  for (const JournaledStep& step : steps)
    if (const std::string what = of_step(stored, boot, step); !what.empty())
      lines.push_back(title_of(step.name) + " " + what);
  for (const auto& more : {of_claims(steps, before, after), of_links(steps, before, after)})
    lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

}  // namespace cib
