// The images of the containers that plugins put the step's tasks into: what they lack for MPI over
// InfiniBand, and what the node lends them (inject=providers).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/step_journal.hpp"
#include "container_ib/lending.hpp"
#include "container_ib/world/tasks.hpp"

namespace cib {

class StepImages {
 public:
  StepImages(AttachedTasks& tasks, StepJournal& journal) : tasks_(tasks), journal_(journal) {}

  // To be called before the devices of that task are mounted in its container: what the image lacks to use
  // these HCAs comes with them.
  Status lend(unsigned task, const std::string& container, const ImageNeeds& needs);
  // Null: it has all itself, or cannot have it.
  const LentLibraries* lent_to(const std::string& container) const;
  // What was lent to it, or why it was not: a clause, empty when nobody has asked or it needs nothing.
  std::string about_lending(const std::string& container) const;

  // What the image of the task's container lacks, a clause each; nothing when nobody could look.
  std::vector<std::string> faults(unsigned task, const std::string& container, const ImageNeeds& needs);

 private:
  struct Image {
    std::optional<ImageFacts> facts;  // empty: nobody could look
    std::optional<LentLibraries> lent = {};
    std::string why_not = {};
  };
  Image& image_of(unsigned task, const std::string& container);

  AttachedTasks& tasks_;
  StepJournal& journal_;
  std::map<std::string, Image> images_;  // by container
};

}  // namespace cib
