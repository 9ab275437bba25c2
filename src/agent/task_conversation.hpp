// What a task may say on its channel: that it has a mount namespace (once), variables that the environment
// depends on (each once), and that it is ready, which is its last word unless it is asked for more, once.
// Anything else ends the conversation, so the work and the memory that a task can cost the agent are bounded
// by this order.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "app/step.hpp"
#include "container_ib/result.hpp"

namespace cib {

class TaskConversation {
 public:
  enum class Heard { mount_namespace, variable, ready };

  // What a frame of this task means; corrupt when no plugin of ours sends it now. `descriptors` is how many
  // file descriptors came with it.
  Result<Heard> hear(const void* bytes, std::size_t size, std::size_t descriptors);

  // It has been asked which of these variables its user has set, and has to say once more that it is ready.
  // False when it had been asked before.
  bool ask(const std::vector<std::string>& names);

  // Only the first frame may have a descriptor: it is sent before any code of the user has run.
  bool may_offer() const { return !begun_; }

  // By which a plugin will put it into a container, "--container-image"; empty: none.
  const std::string& container_option() const { return container_option_; }
  // What it has said about itself; complete once it is ready.
  const TaskFacts& facts() const { return facts_; }

 private:
  Status hear_variable(const void* bytes, std::size_t size);

  bool begun_ = false, has_namespace_ = false, ready_ = false;
  std::set<std::string, std::less<>> asked_;  // variables
  std::set<std::string> servers_;             // the variables of PMIx that were told
  std::string container_option_;
  TaskFacts facts_;
};

}  // namespace cib
