#include "app/step_traffic.hpp"

namespace cib {

void StepTraffic::begin(std::vector<PlacedPort> ports) {
  ports_ = std::move(ports);
  std::vector<std::string> names;
  for (const PlacedPort& placed : ports_) names.push_back(placed.port.name());
  shared_ = state_.share(names);
  if (auto counters = node_.counters(ports_)) before_ = *counters;
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
