#include "app/step_images.hpp"

#include <utility>

#include "container_ib/text.hpp"

namespace cib {

// Once: the tasks of a container have one image.
StepImages::Image& StepImages::image_of(unsigned task, const std::string& container) {
  const auto found = images_.find(container);
  if (found != images_.end()) return found->second;
  auto facts = tasks_.look_at_image(task);
  return images_.emplace(container, Image{facts ? std::optional(*std::move(facts)) : std::nullopt})
      .first->second;
}

// That it cannot be is no reason to refuse the task: it has what it would have had without.
Status StepImages::lend(unsigned task, const std::string& container, const ImageNeeds& needs) {
  Image& image = image_of(task, container);
  if (image.lent || !image.why_not.empty()) return {};
  if (!image.facts) {
    image.why_not = "the image cannot be looked at";
    return {};
  }
  if (has_verbs_for(*image.facts, needs)) return {};
  auto lent = tasks_.lend_providers(task, providers_for(needs), *image.facts);
  if (!lent) {
    image.why_not = lent.error().message();
    return {};
  }
  image.lent = *std::move(lent);
  return journal_.write(Mark::done, ProvidersLent{task, join(image.lent->files, ",")});
}

const LentLibraries* StepImages::lent_to(const std::string& container) const {
  const auto found = images_.find(container);
  return found == images_.end() || !found->second.lent ? nullptr : &*found->second.lent;
}

std::string StepImages::about_lending(const std::string& container) const {
  const auto found = images_.find(container);
  if (found == images_.end()) return {};
  const auto& [facts, lent, why_not] = found->second;
  if (lent) return "inject=providers lends the image this node's " + join(lent->files);
  return why_not.empty() ? "" : "inject=providers: " + why_not;
}

std::vector<std::string> StepImages::faults(unsigned task, const std::string& container,
                                            const ImageNeeds& needs) {
  std::vector<std::string> lines;
  const Image& image = image_of(task, container);
  if (!image.facts) return lines;  // whatever keeps us from looking is no fault of the image
  const ImageFacts facts = image.lent ? with_lent(*image.facts, *image.lent) : *image.facts;
  for (const ImageLine& line : judge_image(facts, needs))
    if (line.kind == ImageLine::Kind::finding) lines.push_back(line.text);
  return lines;
}

}  // namespace cib
