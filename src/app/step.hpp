// One step on one node, as its agent sees it: events in, answers to tasks out. Knows no process, socket or
// file. The states and what happens at each death: doc/adr/0001-processes-of-a-step.md.
//
// Three parts know how: Rendezvous who has come and when to decide, Attachment what the tasks get and how it
// is given back, Report what is told at the end. This is their story.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/attachment.hpp"
#include "app/phases.hpp"
#include "app/rendezvous.hpp"
#include "app/report.hpp"
#include "app/step_facts.hpp"

namespace cib {

class Step {
 public:
  Step(StepFacts facts, Node& node, Tasks& tasks, StateStore& state, Kernel& kernel);
  Step(const Step&) = delete;  // its parts know where its facts are
  Step& operator=(const Step&) = delete;

  void prepare();  // reads configuration and node while Slurm still sets the step up
  // Whether the tasks will be in networks of their own, which a PMIx server reaches only through a relay, and
  // what came of starting it.
  bool needs_relay() const { return attachment_.is_private() && !failure_; }
  void relay_started(Result<ProcessIdentity> process);
  void task_started(unsigned task, TaskOrigin origin) { attachment_.task_started(task, std::move(origin)); }
  // Answered with its network if may_be_private() or if there is an option by which a plugin will put it into
  // a container; that one may be a refusal.
  void task_has_namespace(unsigned task, const std::string& container_option = "");
  // Variables that a task shall say of whether its user has set them, besides environment_inputs(); then it
  // is ready.
  std::vector<std::string> asks_for() const;
  void task_ready(unsigned task, TaskFacts facts);
  void task_died(unsigned task);
  void task_left(unsigned task);                            // it will not send anything more
  void task_misbehaved(unsigned task, const Error& error);  // a message that no plugin of ours sends
  void deadline_passed();

  // Lines for the user once every task has ended, and only once.
  std::vector<std::string> report();
  // The step is over and slurmstepd said so.
  struct Ending {
    std::vector<std::string> for_user, for_administrator;
  };
  Ending finish();
  // slurmstepd died: what is left of the step is an orphan of a dead step. Lines for the administrator.
  std::vector<std::string> abandoned();

  // How long each part of attaching took, once the tasks are answered; for the administrator.
  std::string timing() const { return "step " + facts_.name() + ": " + phases_.line(); }

  // What containers show that the tasks have started by now, for the report; to be called a few times while
  // they run.
  bool has_decided() const { return rendezvous_.has_decided() && !failure_; }
  void look_inside();
  // Who has the step's ports in use by now, for its verdict and for those of steps that share them.
  void look_at_ports();

  // Some task has reported and has no answer: call ask_for_patience() now and then.
  bool keeps_tasks_waiting() const { return !rendezvous_.ready().empty(); }
  void ask_for_patience();

  bool awaits_deadline() const { return rendezvous_.awaits_deadline(); }
  unsigned rendezvous_timeout_s() const { return attachment_.site().rendezvous_timeout_s; }

  // wait=: decided, but VFs or addresses are missing that other steps have, and nothing was made yet. Call
  // try_again() now and then, and give_up_waiting() after wait_s().
  bool waits_for_vfs() const { return waiting_.has_value(); }
  unsigned wait_s() const { return attachment_.settings().wait_s; }
  void try_again();
  void give_up_waiting();

 private:
  void decide_if(Rendezvous::Then then);
  void decide();
  Status attach_network();
  Status attach_devices();
  Status mount(unsigned task);
  Status note_ports();
  void answer_all();
  void answer(unsigned task);
  Status attach_late(unsigned task);
  bool must_refuse(const Error& error) const;
  void turn_away(unsigned task, const Error& error);
  void grant(unsigned task);
  std::vector<std::string> about_image(unsigned task);
  void offer_folder(unsigned task, std::vector<EnvironmentChange>& set, std::vector<std::string>& lines);
  // Who has asked for a mode, or for a report, is told.
  bool tells_what_is_wrong() const {
    return attachment_.settings().report != ReportLevel::off || attachment_.require();
  }
  // Who has not asked, of a site that has not asked for a report, is told nothing.
  bool is_silent() const { return facts_.by_default && attachment_.settings().report == ReportLevel::off; }
  void count_pmix_clients();
  void fail(Error error) { failure_ = std::move(error); }

  StepFacts facts_;
  Node& node_;
  Tasks& tasks_;
  Rendezvous rendezvous_;
  Attachment attachment_;
  Report report_;
  Phases phases_;

  unsigned pmix_clients_ = 0;                  // the most that were seen at once
  std::map<unsigned, std::string> differing_;  // tasks by rank, and what differs inside
  std::optional<Error> failure_;               // why no task of this node is attached
  std::optional<Error> waiting_;               // for what other steps have, and why
  bool greeted_ = false;                       // what is said once in a step is said
  bool memlock_told_ = false, folder_told_ = false, users_values_told_ = false;
};

}  // namespace cib
