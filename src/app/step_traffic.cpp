#include "app/step_traffic.hpp"

#include <functional>
#include <utility>

namespace cib {

namespace {

// Counters only mean something by their difference, so they may wrap.
template <class Operator>
void each(NodeCounters& counters, const NodeCounters& others, Operator by) {
  for (const auto member :
       {&NodeCounters::verbs_sent, &NodeCounters::verbs_received, &NodeCounters::tcp_sent,
        &NodeCounters::tcp_received, &NodeCounters::ipoib_sent, &NodeCounters::ipoib_received})
    counters.*member = by(counters.*member, others.*member);
}

}  // namespace

void StepTraffic::begin(std::vector<PlacedPort> ports) {
  ports_ = std::move(ports);
  std::vector<std::string> names;
  for (const PlacedPort& placed : ports_) names.push_back(placed.port.name());
  shared_ = state_.share(names) || shared_;
  if (auto counters = node_.counters(ports_)) before_ = *counters;
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
  traffic.shared = shared_ || state_.shared();
  traffic.nodes = nodes;
  return cib::judge(traffic);
}

}  // namespace cib
