#include "adapters/attach/folder_actions.hpp"

#include "adapters/linux/task_folder.hpp"

namespace cib {

Status apply(const MakeTaskFolder& action) { return make_task_folder(action.folder); }

Status undo(const MakeTaskFolder& action) { return remove_task_folder(action.folder); }

Status verify(const MakeTaskFolder& action) { return verify_task_folder(action.folder); }

}  // namespace cib
