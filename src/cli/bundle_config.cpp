#include "bundle_config.hpp"

#include <limits>

#include "container_ib/text.hpp"

namespace cib::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr int deepest = 64;

Error wrong(const std::string& file, const std::string& key, const char* wanted) {
  return error(Errc::corrupt, file + ": " + key + " is not " + wanted);
}

// A member, null when it is missing. `of` must be an object.
const Json& member(const Json& of, const char* key) {
  static const Json null;
  const auto found = of.find(key);
  return found == of.end() ? null : *found;
}

Result<Json> object_in(const Json& of, const char* key, const std::string& file) {
  const Json& value = member(of, key);
  if (value.is_null()) return Json::object();
  if (!value.is_object()) return wrong(file, key, "an object");
  return value;
}

Result<std::string> text_in(const Json& of, const char* key, const std::string& name,
                            const std::string& file) {
  const Json& value = member(of, key);
  if (value.is_null()) return std::string();
  if (!value.is_string()) return wrong(file, name, "a string");
  return value.get<std::string>();
}

Result<std::vector<std::string>> texts_in(const Json& of, const char* key, const std::string& name,
                                          const std::string& file) {
  std::vector<std::string> texts;
  const Json& list = member(of, key);
  if (list.is_null()) return texts;
  if (!list.is_array()) return wrong(file, name, "a list");
  for (const Json& value : list) {
    if (!value.is_string()) return wrong(file, name, "a list of strings");
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

Result<std::vector<BundleMount>> mounts_in(const Json& config, const std::string& file) {
  std::vector<BundleMount> mounts;
  const Json& list = member(config, "mounts");
  if (list.is_null()) return mounts;
  if (!list.is_array()) return wrong(file, "mounts", "a list");
  for (const Json& value : list) {
    const std::string name = "mounts[" + std::to_string(mounts.size()) + "]";
    if (!value.is_object()) return wrong(file, name, "an object");
    BundleMount mount;
    CIB_TRY(mount.destination, text_in(value, "destination", name + ".destination", file));
    CIB_TRY(mount.type, text_in(value, "type", name + ".type", file));
    CIB_TRY(mount.source, text_in(value, "source", name + ".source", file));
    CIB_TRY(mount.options, texts_in(value, "options", name + ".options", file));
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::uint32_t> uid_in(const Json& process, const std::string& file) {
  CIB_TRY(const Json user, object_in(process, "user", file));
  const Json& uid = member(user, "uid");
  if (uid.is_null()) return 0U;
  if (!uid.is_number_unsigned() || uid.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
    return wrong(file, "process.user.uid", "a user id");
  return uid.get<std::uint32_t>();
}

Result<bool> makes_network(const Json& config, const std::string& file) {
  CIB_TRY(const Json linux_part, object_in(config, "linux", file));
  const Json& list = member(linux_part, "namespaces");
  if (list.is_null()) return false;
  if (!list.is_array()) return wrong(file, "linux.namespaces", "a list");
  for (const Json& value : list) {
    if (!value.is_object()) return wrong(file, "linux.namespaces", "a list of objects");
    CIB_TRY(const std::string type, text_in(value, "type", "linux.namespaces[].type", file));
    CIB_TRY(const std::string path, text_in(value, "path", "linux.namespaces[].path", file));
    if (type == "network" && path.empty()) return true;
  }
  return false;
}

Json mount_json(const BundleMount& mount) {
  return {{"destination", mount.destination},
          {"type", mount.type},
          {"source", mount.source},
          {"options", mount.options}};
}

}  // namespace

Result<Json> parse_json(const std::string& text, const std::string& file) {
  bool too_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > deepest;
    return !too_deep;
  };
  try {
    Json json = Json::parse(text, look);
    if (too_deep) return error(Errc::corrupt, file + ": nested deeper than " + std::to_string(deepest));
    if (!json.is_object()) return wrong(file, "the whole", "an object");
    return json;
  } catch (const Json::parse_error& failure) {
    return error(Errc::corrupt, file + ": no JSON from byte " + std::to_string(failure.byte) + " on");
  }
}

Result<Bundle> bundle_of(const Json& config, const std::string& file) {
  Bundle bundle;
  CIB_TRY(const Json process, object_in(config, "process", file));
  CIB_TRY(bundle.env, texts_in(process, "env", "process.env", file));
  CIB_TRY(bundle.uid, uid_in(process, file));
  CIB_TRY(bundle.own_network, makes_network(config, file));
  CIB_TRY(bundle.mounts, mounts_in(config, file));
  return bundle;
}

Result<std::string> root_of(const Json& config, const std::string& file) {
  CIB_TRY(const Json root, object_in(config, "root", file));
  CIB_TRY(std::string path, text_in(root, "path", "root.path", file));
  if (path.empty()) return error(Errc::corrupt, file + ": root.path is missing");
  return path;
}

void apply(const std::vector<BundleEdit>& edits, Json& config) {
  Json& mounts = config["mounts"];
  for (const BundleEdit& edit : edits) {
    if (edit.instead_of)
      mounts[*edit.instead_of] = mount_json(edit.mount);
    else
      mounts.push_back(mount_json(edit.mount));
  }
}

}  // namespace cib::cli
