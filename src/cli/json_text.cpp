#include "json_text.hpp"

namespace cib::cli {

std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cib::cli
