// Mode verbs: devices and environment; the network stays the node's.
#include "app/modes/mode_unit.hpp"

namespace cib {

namespace {

class VerbsMode final : public ModeUnit {
 public:
  Status suits(const NodeFacts&) const override { return {}; }
  std::string lacks(const NodeFacts&) const override { return {}; }
  std::string caveat(const NodeFacts&) const override { return {}; }
  std::vector<std::string> notes(const NodeFacts&, Node&) const override { return {}; }

  Result<Assignment> place(const PlaceQuestion& question) const override {
    return cib::place(question.facts.inventory, question.tasks, question.options);
  }

  std::unique_ptr<Interfaces> interfaces(InterfaceFacts) const override { return nullptr; }
};

}  // namespace

const ModeUnit& verbs_mode() {
  static const VerbsMode mode;
  return mode;
}

}  // namespace cib
