#include "container_ib/vf.hpp"

#include "container_ib/model.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using Fields = std::map<std::string, std::string>;

// One line for each setting serves both directions.
template <class Settings, class Visit>
void each(Settings& settings, Visit visit) {
  visit("node_guid", settings.node_guid);
  visit("port_guid", settings.port_guid);
  visit("vlan", settings.vlan);
  visit("qos", settings.qos);
  visit("min_tx_mbps", settings.min_tx_mbps);
  visit("max_tx_mbps", settings.max_tx_mbps);
  visit("spoof_check", settings.spoof_check);
  visit("trust", settings.trust);
  visit("link_state", settings.link_state);
}

}  // namespace

Fields vf_fields(const VfSettings& settings, const std::string& prefix) {
  Fields fields;
  each(settings, [&](const char* name, const auto& value) {
    if (value) fields[prefix + name] = std::to_string(static_cast<std::uint64_t>(*value));
  });
  return fields;
}

Result<VfSettings> vf_settings(const Fields& fields, const std::string& prefix) {
  VfSettings settings;
  std::string wrong;
  each(settings, [&](const char* name, auto& value) {
    using Value = typename std::remove_reference_t<decltype(value)>::value_type;
    const auto field = fields.find(prefix + name);
    if (field == fields.end()) return;
    const auto number = whole_number<std::uint64_t>(field->second);
    if (!number)
      wrong = field->first;
    else
      value = static_cast<Value>(*number);
  });
  if (!wrong.empty()) return error(Errc::corrupt, wrong + " is no number");
  return settings;
}

}  // namespace cib
