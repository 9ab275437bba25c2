#include "app/step_traffic.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "container_ib/journal.hpp"

namespace cib {

namespace {

// Counters only mean something by their difference, so they may wrap.
template <class Operator>
void each(NodeCounters& counters, const NodeCounters& others, Operator by) {
  for (const auto member :
       {&NodeCounters::verbs_sent, &NodeCounters::verbs_received, &NodeCounters::tcp_sent,
        &NodeCounters::tcp_received, &NodeCounters::ipoib_sent, &NodeCounters::ipoib_received,
        &NodeCounters::node_ipoib_sent, &NodeCounters::node_ipoib_received})
    counters.*member = by(counters.*member, others.*member);
}

constexpr std::size_t others_named = 3, most_others = 100;

std::string title_of_other(const RdmaUser& user) {
  return user.step.empty() ? user.process : title_of(user.step);
}

}  // namespace

void StepTraffic::begin(std::vector<PlacedPort> ports) {
  const bool first = ports_.empty();
  ports_ = std::move(ports);
  for (Sharer& sharer : state_.share(names())) modes_.emplace(std::move(sharer.step), std::move(sharer.mode));
  if (is_private()) own_ = PortUse::used;
  if (own_ != PortUse::unsure) state_.tell_use(names(), own_);  // share() has taken it back
  if (const auto users = ask_who()) {
    if (first)
      for (const RdmaUser& user : users->others) strangers_.insert(user.process);
    note(*users);
  }
  if (auto counters = node_.counters(ports_)) before_ = *counters;
}

std::vector<std::string> StepTraffic::names() const {
  std::vector<std::string> names;
  for (const PlacedPort& placed : ports_) names.push_back(placed.port.name());
  return names;
}

// There the kernel itself moves the tasks' data: IPoIB has its own queue pairs.
bool StepTraffic::is_private() const {
  return std::any_of(ports_.begin(), ports_.end(),
                     [](const PlacedPort& placed) { return !placed.netns.empty(); });
}

std::optional<RdmaUsers> StepTraffic::ask_who() {
  auto users = node_.rdma_users(ports_, facts_.name());
  if (users) return std::move(*users);
  blind_ = users.error().message();
  return {};
}

// A process that is in no step, and whose user is the step's, may be a task's: there are engines that take
// what they start out of the step's cgroup and of its process tree.
void StepTraffic::note(const RdmaUsers& users) {
  for (const RdmaUser& user : users.others) {
    if (others_.size() == most_others) return;
    if (is_daemon(user)) continue;
    const bool was_there = strangers_.contains(user.process);
    if (user.process.empty() && !was_there)
      unnamed_ = user.did;
    else if (user.process.empty())
      others_.emplace("a process that the kernel does not name", user.did);
    else if (!user.step.empty() || was_there || user.uid != facts_.uid)
      others_.emplace(title_of_other(user), user.did);
  }
}

// "pid 4711 (mmfsd)". A process may call itself what it likes, and so only root's count.
bool StepTraffic::is_daemon(const RdmaUser& user) const {
  return user.step.empty() && user.uid == 0U &&
         std::any_of(daemons_.begin(), daemons_.end(),
                     [&](const std::string& name) { return user.process.ends_with(" (" + name + ')'); });
}

void StepTraffic::look() {
  if (ports_.empty()) return;
  const auto users = ask_who();
  if (!users) return;
  note(*users);
  tell(users->own ? PortUse::used : PortUse::idle);
}

// Who was seen to use a port has used it.
void StepTraffic::tell(PortUse use) {
  if (own_ != PortUse::used) own_ = use;
  state_.tell_use(names(), own_);
}

// One that was too short for a look has used no port on which nothing moved.
void StepTraffic::end() {
  if (!before_ || own_ != PortUse::unsure) return;
  const auto after = node_.counters(ports_);
  if (after && is_management(after->verbs_sent - before_->verbs_sent + after->verbs_received -
                             before_->verbs_received))
    tell(PortUse::idle);
}

// Why a step that has a port too may have moved bytes there; nothing when it has not.
std::optional<std::string> StepTraffic::suspicion(const std::string& step) const {
  const std::string title = title_of(step);
  if (const auto seen = others_.find(title); seen != others_.end()) return title + ' ' + seen->second;
  const auto mode = modes_.find(step);
  if (mode != modes_.end() && mode->second != "verbs")
    return title + " used the same port by " + mode->second;
  const auto told = told_.find(step);
  if (told != told_.end() && told->second == PortUse::used) return title + " used the same port";
  if (blind_) return title + " had the same port (" + *blind_ + ')';
  if (told != told_.end() && told->second == PortUse::unsure)
    return title + " had the same port, and not for long enough to see whether it used it,";
  return {};
}

void StepTraffic::name_others(Traffic& traffic) {
  told_ = state_.sharers();
  std::set<std::string> steps;
  for (const auto& [step, mode] : modes_) steps.insert(step);
  for (const auto& [step, use] : told_) steps.insert(step);
  std::vector<std::string> clauses;
  for (const std::string& step : steps)
    if (auto why = suspicion(step)) clauses.push_back(std::move(*why));
  if (clauses.empty() && !steps.empty() && unnamed_)
    clauses.push_back("a process that the kernel does not name " + *unnamed_);
  traffic.shared = !clauses.empty();
  std::set<std::string> titles;
  for (const std::string& step : steps) titles.insert(title_of(step));
  for (const auto& [title, did] : others_)
    if (!titles.contains(title)) clauses.push_back(title + ' ' + did);
  for (std::size_t i = 0; i < std::min(clauses.size(), others_named); ++i)
    traffic.others += (i == 0 ? "" : ", ") + clauses[i];
  if (clauses.size() > others_named)
    traffic.others += ", and " + std::to_string(clauses.size() - others_named) + " more did so";
}

void StepTraffic::add(std::vector<PlacedPort> ports) {
  const auto until_now =
      before_ ? node_.counters(ports_) : Result<NodeCounters>(error(Errc::not_found, "none"));
  const auto earlier = std::exchange(before_, std::nullopt);
  begin(std::move(ports));
  if (!until_now || !before_) return before_.reset();
  each(*before_, *until_now, std::minus<>());
  each(*before_, *earlier, std::plus<>());
}

Result<Judgement> StepTraffic::judge(unsigned nodes) {
  CIB_TRY(const NodeCounters after, node_.counters(ports_));
  Traffic traffic;
  traffic.verbs_sent = after.verbs_sent - before_->verbs_sent;
  traffic.verbs_received = after.verbs_received - before_->verbs_received;
  traffic.tcp_sent = after.tcp_sent - before_->tcp_sent;
  traffic.tcp_received = after.tcp_received - before_->tcp_received;
  traffic.ipoib_sent = after.ipoib_sent - before_->ipoib_sent;
  traffic.ipoib_received = after.ipoib_received - before_->ipoib_received;
  traffic.nodes_ipoib = after.node_ipoib_sent - before_->node_ipoib_sent + after.node_ipoib_received -
                        before_->node_ipoib_received;
  traffic.nodes = nodes;
  if (const auto users = ask_who()) note(*users);
  name_others(traffic);
  return cib::judge(traffic);
}

}  // namespace cib
