// The inventory's text form: what is accepted is written back the same, and can be planned on.
#include "container_ib/inventory.hpp"
#include "fuzz/fuzz_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cib;
  const auto node = decode_inventory(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!node) return 0;
  const std::string text = encode_inventory(*node);
  const auto again = decode_inventory(text);
  fuzz::require(again.ok() && encode_inventory(*again) == text);
  std::vector<LocalTask> tasks(5);
  for (unsigned i = 0; i < tasks.size(); ++i) {
    tasks[i].id = i;
    tasks[i].mask.add(i);
  }
  fuzz::check(*node, tasks, {}, place(*node, tasks, {}));
  return 0;
}
