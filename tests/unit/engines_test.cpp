#include "container_ib/engines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace cib {
namespace {

using testing::IsEmpty;

EnginesOfCommand engines(const std::vector<std::string_view>& command) { return engines_of(command); }

std::map<std::string, std::string> changes(const std::vector<std::string_view>& command,
                                           const std::vector<std::string_view>& environment,
                                           const std::vector<std::string>& ours = {}) {
  std::map<std::string, std::string> changed;
  for (const auto& [name, value] : apptainer_environment(engines_of(command), environment, ours))
    changed[name] = value;
  return changed;
}

TEST(Engines, AreKnownWhereverTheyStandInTheCommand) {
  for (const std::vector<std::string_view>& command :
       {std::vector<std::string_view>{"bwrap", "--ro-bind", "/", "/"},
        {"/usr/bin/podman", "run"},
        {"env", "A=1", "ch-run", "image"},
        {"sh", "-c", "cd /tmp && exec crun run one"},
        {"numactl", "-N0", "apptainer", "exec"}})
    EXPECT_TRUE(engines(command).user_namespaces) << command.front();
  for (const std::vector<std::string_view>& command : {std::vector<std::string_view>{},
                                                       {"hostname"},
                                                       {"./podman.sh"},
                                                       {"echo", "apptainers"},
                                                       {"ch-run", "--join", "image"},
                                                       {"apptainer", "exec", "--sharens", "a.sif", "true"},
                                                       {"singularity", "exec", "instance://mine", "true"},
                                                       {"podman-hpc", "shared-run", "image"},
                                                       {"shifter", "--image=x", "true"},
                                                       {"sarus", "run", "x", "true"},
                                                       {"sh", "-c", "ch-run -j image -- true"}})
    EXPECT_FALSE(engines(command).user_namespaces) << (command.empty() ? "" : command.back());
  EXPECT_TRUE(engines({"ch-run", "image", "--", "prog", "--join"}).user_namespaces) << "the program's";
}

TEST(Engines, OfAScriptAreKnownByItsText) {
  for (const char* script : {"#!/bin/sh\nexec apptainer exec app.sif \"$@\"\n", "cd /tmp\n\tenroot start x",
                             "x=$(podman-hpc run image)", "a#b; ch-run img -- true # --join"})
    EXPECT_TRUE(engines_of_script(script).user_namespaces) << script;
  for (const char* script : {"", "#!/bin/sh\n# with apptainer or without\nexec \"$@\"", "true #apptainer",
                             "#!/usr/bin/env apptainers", "ch-run -j img -- true"})
    EXPECT_FALSE(engines_of_script(script).user_namespaces) << script;
}

TEST(Engines, PodmanAndWhoIsToldOfCdiReadATasksFolder) {
  for (const std::vector<std::string_view>& command :
       {std::vector<std::string_view>{"/usr/bin/podman", "run", "image"},
        {"sh", "-c", "cd /tmp; exec podman run image"},
        {"sh", "-c", "ch-run --cdi-dirs=$CONTAINER_IB_CDI --cdi image -- true"},
        {"numactl", "-N0", "podman", "run", "image"}})
    EXPECT_TRUE(engines(command).reads_folder) << command.back();
  for (const std::vector<std::string_view>& command :
       {std::vector<std::string_view>{"ch-run", "image", "--", "true"},
        {"apptainer", "run", "image"},
        {"./podman.sh"},
        {"hostname"}})
    EXPECT_FALSE(engines(command).reads_folder) << command.front();
}

TEST(Engines, ApptainerAndItsSisterAlwaysBindTheFolder) {
  auto changed = changes({"./job.sh"}, {});
  EXPECT_EQ(changed["APPTAINER_BIND"], "/dev/infiniband");
  EXPECT_EQ(changed["SINGULARITY_BIND"], "/dev/infiniband");
}

TEST(Engines, WhatAUserBindsStaysAndApptainerHasNothingToSayOfTwoNames) {
  auto changed = changes({"./job.sh"}, {"APPTAINER_BIND=/scratch,/a:/b"});
  EXPECT_EQ(changed["APPTAINER_BIND"], "/scratch,/a:/b,/dev/infiniband");
  EXPECT_FALSE(changed.contains("SINGULARITY_BIND")) << "Apptainer warns of one that is different";
  changed = changes({"./job.sh"}, {"SINGULARITY_BIND=/scratch"});
  EXPECT_EQ(changed["APPTAINER_BIND"], "/scratch,/dev/infiniband");
  EXPECT_EQ(changed["SINGULARITY_BIND"], "/scratch,/dev/infiniband");
  changed = changes({"./job.sh"}, {"SINGULARITY_BIND=/scratch", "APPTAINER_BIND=/x"});
  EXPECT_EQ(changed["APPTAINER_BIND"], "/x,/dev/infiniband");
  EXPECT_EQ(changed["SINGULARITY_BIND"], "/scratch,/dev/infiniband");
  EXPECT_THAT(changes({"./job.sh"}, {"APPTAINER_BIND=/x,/dev/infiniband:/dev/infiniband:ro"}), IsEmpty());
  EXPECT_EQ(changes({"./job.sh"}, {"SINGULARITY_BIND=/dev/infiniband"}),
            (std::map<std::string, std::string>{{"APPTAINER_BIND", "/dev/infiniband"}}));
}

TEST(Engines, ApptainerHandsOnWhatMakesTheTaskARankAndItsPorts) {
  const std::vector<std::string_view> environment = {
      "SLURM_PROCID=3",   "SLURMD_NODENAME=n0",          "PMIX_RANK=3",
      "PMI_FD=9",         "CONTAINER_IB_PORTS=mlx5_0:1", "UCX_NET_DEVICES=mlx5_0:1",
      "HOME=/home/alice", "APPTAINERENV_SLURM_PROCID=0"};
  const std::vector<std::string> ours = {"UCX_NET_DEVICES"};
  auto direct = changes({"apptainer", "exec", "-C", "image"}, environment, ours);
  EXPECT_EQ(direct["APPTAINERENV_SLURM_PROCID"], "3") << "not that of a job's script that set it for itself";
  EXPECT_EQ(direct["APPTAINERENV_SLURMD_NODENAME"], "n0");
  EXPECT_EQ(direct["APPTAINERENV_PMIX_RANK"], "3");
  EXPECT_EQ(direct["APPTAINERENV_PMI_FD"], "9");
  EXPECT_EQ(direct["APPTAINERENV_CONTAINER_IB_PORTS"], "mlx5_0:1");
  EXPECT_EQ(direct["APPTAINERENV_UCX_NET_DEVICES"], "mlx5_0:1");
  EXPECT_FALSE(direct.contains("APPTAINERENV_HOME"));
  auto behind_a_shell =
      changes({"bash", "-c", "export UCX_NET_DEVICES=x; apptainer exec -C image"}, environment, ours);
  EXPECT_EQ(behind_a_shell["APPTAINERENV_PMIX_RANK"], "3");
  EXPECT_FALSE(behind_a_shell.contains("APPTAINERENV_UCX_NET_DEVICES")) << "the shell may say otherwise";
  EXPECT_EQ(changes({"hostname"}, environment, ours).size(), 2U) << "nobody else is bothered";
}

TEST(Engines, WhatIsCalledSingularityMayBeEitherAndIsToldInBothWays) {
  const std::vector<std::string_view> environment = {"SLURM_PROCID=3", "UCX_NET_DEVICES=mlx5_0:1"};
  auto changed = changes({"singularity", "exec", "-C", "image"}, environment, {"UCX_NET_DEVICES"});
  for (const std::string prefix : {"APPTAINERENV_", "SINGULARITYENV_"}) {
    EXPECT_EQ(changed[prefix + "SLURM_PROCID"], "3");
    EXPECT_EQ(changed[prefix + "UCX_NET_DEVICES"], "mlx5_0:1");
  }
  changed = changes({"apptainer", "exec", "image"}, environment);
  EXPECT_FALSE(changed.contains("SINGULARITYENV_SLURM_PROCID"));
  changed = changes({"apptainer", "exec", "image"}, {"SLURM_PROCID=3", "SINGULARITYENV_SLURM_PROCID=0"});
  EXPECT_EQ(changed["SINGULARITYENV_SLURM_PROCID"], "3") << "Apptainer warns of one that is different";
}

TEST(Engines, WhatAUserSaysOfATuningVariableCounts) {
  auto changed =
      changes({"apptainer", "run", "image"}, {"UCX_TLS=all", "APPTAINERENV_UCX_TLS=tcp"}, {"UCX_TLS"});
  EXPECT_FALSE(changed.contains("APPTAINERENV_UCX_TLS"));
  changed =
      changes({"apptainer", "run", "image"}, {"UCX_TLS=all", "SINGULARITYENV_UCX_TLS=tcp"}, {"UCX_TLS"});
  EXPECT_FALSE(changed.contains("APPTAINERENV_UCX_TLS")) << "it would be taken instead of Singularity's";
  EXPECT_FALSE(changed.contains("SINGULARITYENV_UCX_TLS"));
}

}  // namespace
}  // namespace cib
