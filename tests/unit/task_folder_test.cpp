#include "container_ib/task_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cib {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string folder = "/run/container-ib-tasks/17.0-3";
constexpr const char* cdi = "cdi/container-ib.org-hca.json";
constexpr const char* podman = "containers.conf";

TEST(TaskFolder, IsBesideTheStateDirectoryWhereverThatIs) {
  EXPECT_EQ(task_folder_path("/run/container-ib/17.0", 3), folder);
  EXPECT_EQ(task_folder_path("/var/x/17.batch", 0), "/var/x-tasks/17.batch-0");
  EXPECT_EQ(cdi_folder_of(folder), folder + "/cdi");
  EXPECT_EQ(podman_settings_of(folder), folder + "/containers.conf");
}

TEST(TaskFolder, HasOneCdiDeviceWithTheTasksNodesAndVariables) {
  auto files = task_folder_files(folder, 1000, {{"CONTAINER_IB_PORTS", "mlx5_0:1"}, {"UCX_TLS", "^cma"}});
  const auto mount = [](const std::string& in, const std::string& at) {
    return "{\"hostPath\": \"" + folder + in + "\", \"containerPath\": \"" + at +
           "\", \"options\": [\"bind\", \"ro\", \"nosuid\", \"noexec\", \"rprivate\"]}";
  };
  EXPECT_EQ(files[cdi],
            "{\"cdiVersion\": \"0.3.0\", \"kind\": \"container-ib.org/hca\",\n"
            " \"devices\": [{\"name\": \"task\", \"containerEdits\": {\n"
            "  \"env\": [\"CONTAINER_IB_PORTS=mlx5_0:1\", \"UCX_TLS=^cma\"],\n"
            "  \"mounts\": [" +
                mount("/infiniband", "/dev/infiniband") + ",\n    " +
                mount("/class/infiniband", "/sys/class/infiniband") + ",\n    " +
                mount("/class/infiniband_verbs", "/sys/class/infiniband_verbs") + "]}}]}\n");
}

TEST(TaskFolder, AValueEndsNoTextEarly) {
  auto files = task_folder_files("/a\"b", 1000, {{"A", "\"],\\\n\x7f"}});
  EXPECT_THAT(files[cdi], HasSubstr(R"("env": ["A=\"],\\\u000a\u007f"])"));
  EXPECT_THAT(files[podman], HasSubstr(R"(volumes = ["/a\"b/infiniband:)"));
}

TEST(TaskFolder, TellsPodmanOfDevicesVariablesAndNamespacesWithoutReplacingItsUsersLists) {
  auto text = task_folder_files(folder, 1000, {{"UCX_TLS", "^cma"}, {"FI_PROVIDER", "verbs"}})[podman];
  EXPECT_THAT(text, HasSubstr("\"CONTAINER_IB_*\", \"FI_PROVIDER\", {append=true}]"));
  EXPECT_THAT(text,
              AllOf(HasSubstr("volumes = [\"/run/container-ib-tasks/17.0-3/infiniband:/dev/infiniband:dev,"),
                    HasSubstr("\"PMIX_*\""), HasSubstr("\"SLURM_*\""), HasSubstr("netns = \"host\"\n"),
                    HasSubstr("ipcns = \"host\"\n"), HasSubstr("pidns = \"host\"\n"),
                    HasSubstr("userns = \"keep-id\"\n"),
                    HasSubstr("[engine]\ncdi_spec_dirs = [\"/run/container-ib-tasks/17.0-3/cdi\", ")));
  unsigned appended = 0;
  for (auto at = text.find("{append=true}]"); at != std::string::npos;
       at = text.find("{append=true}]", at + 1))
    ++appended;
  EXPECT_EQ(appended, 3U);
  EXPECT_THAT(task_folder_files(folder, 0, {})[podman], Not(HasSubstr("userns")))
      << "podman refuses it for root";
}

}  // namespace
}  // namespace cib
