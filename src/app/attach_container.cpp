#include "app/attach_container.hpp"

#include <algorithm>

#include "app/attachment.hpp"
#include "app/reap.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr unsigned the_task = 0;

// Of a job, of what its tasks start, or of its end, which a container that runs already has not; and
// `require`, since whoever attaches by hand asks for nothing else.
constexpr std::string_view of_a_job[] = {"batch", "folder", "inject", "report", "require", "scope", "wait"};

StepFacts facts_of(const AttachRequest& request) {
  StepFacts facts;
  facts.uid = request.container.uid;
  facts.local_tasks = 1;
  facts.node_name = request.node_name;
  facts.option = request.option;
  facts.config_path = request.config_path;
  facts.owner = request.owner;
  facts.owner.stepd = request.container.process;
  facts.container = StepFacts::Container{request.container.process, request.container.no_network};
  return facts;
}

// A dead one holds what this one may want, and its number may be this process' now.
Status give_dead_ones_back(const AttachWorld& world, const std::string& own_name,
                           std::vector<std::string>& notes) {
  CIB_TRY(const auto steps, world.stored.steps());
  CIB_TRY(const std::string boot, world.stored.boot_id());
  for (const JournaledStep& one : steps) {
    if (!is_container_attachment(one.name)) continue;
    const StepState state = state_of(world.stored, boot, one);
    if (state == StepState::running && one.name == own_name)
      return error(Errc::in_use,
                   one.held ? own_name + " is being attached by pid " + opened(*one.records)->agent.pid
                            : "it is attached already, as " + own_name + "; 'container-ib detach " +
                                  own_name + "' gives it back");
    if (state == StepState::running) continue;
    CIB_TRY(const Reaped reaped, reap(world.stored, world.kernel, one.name));
    if (!reaped.findings.empty() && one.name == own_name) return error(Errc::in_use, reaped.findings.front());
    notes.insert(notes.end(), reaped.findings.begin(), reaped.findings.end());
  }
  return {};
}

bool has_task_in(StoredSteps& stored, const std::vector<Record>& records, const std::string& container) {
  for (const Record& record : records) {
    const auto* task = get_if<TaskNoted>(record);
    if (task == nullptr) continue;
    const auto mounts = stored.device_mounts_of(process_of(records, task->process), container);
    if (mounts && !mounts->empty()) return true;
  }
  return false;
}

// What a step shows to a task of its own is in no container by its journal.
Status check_is_no_task(const AttachWorld& world, const ContainerFacts& container) {
  const std::string& id = container.inside.id;
  CIB_TRY(const auto turn, world.kernel.claims_turn());
  CIB_TRY(const auto mounts, world.stored.device_mounts_of({{container.process, "", ""}, ""}, id));
  if (mounts.empty()) return {};
  CIB_TRY(const auto steps, world.stored.steps());
  std::string step;
  for (const JournaledStep& one : steps) {
    if (!one.records) continue;
    if (!ports_in_container(*one.records, id).empty()) return {};
    if (!is_container_attachment(one.name) && has_task_in(world.stored, *one.records, id)) step = one.name;
  }
  return error(Errc::in_use, "pid " + container.process.pid + " is a task of " +
                                 (step.empty() ? "a step that left no journal here" : "step " + step) +
                                 ", or a child of one, and has that one's devices; ask for others by the "
                                 "step's own --container-ib");
}

Status make(Attachment& attachment, const ContainerFacts& container) {
  CIB_CHECK(attachment.begin());
  attachment.task_started(
      the_task,
      {.rank = 0, .mask = container.mask, .bound = container.bound, .process = {container.process, "", ""}});
  if (auto network = attachment.network_of(the_task, ""); !network) return std::move(network).error();
  TaskFacts facts;
  facts.container = container.inside;
  facts.gpus = container.gpus;
  facts.user_variables = container.variables;
  attachment.task_ready(the_task, std::move(facts));
  CIB_CHECK(attachment.place_and_claim({the_task}, {the_task}));
  if (attachment.is_private()) {
    CIB_CHECK(attachment.make_networks({the_task}));
    CIB_CHECK(attachment.await_carriers());
  }
  if (auto ports = attachment.note_ports(); !ports) return std::move(ports).error();
  return {};
}

// A limit that stays as it is keeps nobody from anything that the container's engine has not allowed for.
bool raise_memlock(const Attachment& attachment, const AttachWorld& world, std::vector<std::string>& notes) {
  if (!attachment.site().raise_memlock) return false;
  const auto status = world.tasks.raise_memlock(the_task, attachment.site().memlock_bytes);
  if (!status)
    notes.push_back(status.error().message() +
                    "; it keeps the limit that its engine has set (--ulimit memlock)");
  return status.ok();
}

// A line of an --env-file has no way to say a newline, nor does anything of ours need one.
Status check_variables(const std::vector<EnvironmentChange>& variables) {
  for (const EnvironmentChange& variable : variables)
    if (std::any_of(variable.value.begin(), variable.value.end(),
                    [](unsigned char c) { return c < ' ' || c > '~'; }))
      return error(Errc::unsupported, "the value of " + variable.name + ", " + printable(variable.value) +
                                          ", does not fit a line NAME=value");
  return {};
}

AttachedContainer describe(const Attachment& attachment, const std::string& name) {
  AttachedContainer attached;
  attached.name = name;
  attached.mode = attachment.settings().mode;
  const EnvironmentInputs in = attachment.environment_of(the_task, attached.notes);
  const EnvironmentPlan plan = build_environment(in);
  attached.ports = in.task_ports;
  attached.environment = plan.set;
  for (const NetworkDevice& device : attachment.devices_of(the_task)) {
    attached.netdevs.push_back(device.netdev);
    if (!device.address.empty()) attached.addresses.push_back(device.address);
  }
  for (const std::string& line : attachment.forced()) attached.notes.push_back(line);
  if (!plan.kept.empty()) attached.notes.push_back("the container keeps its own " + join(plan.kept));
  if (const std::string caveat = attachment.caveat(); !caveat.empty()) attached.notes.push_back(caveat);
  return attached;
}

// The devices come last: an attachment that has them is whole. The limit, which nobody takes back, is for
// such a one only.
Result<AttachedContainer> finish(Attachment& attachment, const ContainerFacts& container,
                                 const AttachWorld& world, const std::string& name) {
  CIB_CHECK(make(attachment, container));
  AttachedContainer attached = describe(attachment, name);
  CIB_CHECK(check_variables(attached.environment));
  CIB_CHECK(attachment.mount(the_task));
  attached.memlock_raised = raise_memlock(attachment, world, attached.notes);
  return attached;
}

}  // namespace

Status check_attach_option(const std::string& option) {
  CIB_TRY(const Request request, parse_request(option));
  if (request.mode == Mode::none)
    return error(Errc::bad_request, "mode none attaches nothing; 'container-ib detach' gives back");
  for (const std::string_view key : of_a_job)
    if (key_is_given(request, key))
      return error(Errc::bad_request,
                   std::string(key) + "= is for steps, and means nothing for a container that runs already");
  return {};
}

Result<AttachedContainer> attach_container(const AttachRequest& request, const AttachWorld& world) {
  CIB_CHECK(check_attach_option(request.option));
  const StepFacts facts = facts_of(request);
  std::vector<std::string> notes;
  CIB_CHECK(give_dead_ones_back(world, facts.name(), notes));
  CIB_CHECK(check_is_no_task(world, request.container));
  Attachment attachment(facts, world.node, world.tasks, world.state, world.kernel, [] {});
  auto attached = finish(attachment, request.container, world, facts.name());
  if (attached) {
    attached->notes.insert(attached->notes.begin(), notes.begin(), notes.end());
    return attached;
  }
  Error why = std::move(attached).error();
  attachment.undo_attach();
  for (const std::string& line : attachment.give_everything_back()) why.what += "; " + line;
  return why;
}

}  // namespace cib
