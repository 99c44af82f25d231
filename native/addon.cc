// The addon's entry. `setErrorClass` hands over what errors are made of; `open` makes a session:
// one object of functions for each contract, `setListener` for its events, and `close`.
#include "binding/call.h"
#include "core/inherited.h"

namespace halyard {

namespace {

std::shared_ptr<Environment> EnvironmentOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<std::shared_ptr<Environment>*>(data);
}

Napi::Value SetErrorClass(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) {
    Napi::TypeError::New(info.Env(), "the error class must be a constructor")
        .ThrowAsJavaScriptException();
    return {};
  }
  Environment& environment = *EnvironmentOf(info.Env());
  if (environment.error_class != nullptr) {
    napi_delete_reference(info.Env(), environment.error_class);
  }
  napi_create_reference(info.Env(), info[0], 1, &environment.error_class);
  return {};
}

napi_value SetListener(Call& call) {
  std::string event;
  if (!call.Text(0, "event", &event)) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(call.env, call.Raw(1), &type);
  if (type != napi_function) return call.Invalid("the listener must be a function"), nullptr;
  if (!call.addon.SetListener(event, call.Raw(1))) call.Invalid("no event is named " + event);
  return nullptr;
}

napi_value CloseSession(Call& call) {
  call.addon.Close();
  return nullptr;
}

Napi::Object Contract(Addon& addon, Napi::Object session, const char* name) {
  Napi::Object target = Napi::Object::New(addon.env());
  addon.BeginContract(name);
  session.Set(name, target);
  return target;
}

Napi::Value OpenSession(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return {};
  Napi::Object session = Napi::Object::New(env);
  // Deletes itself in its clean-up hook.
  auto* addon = new Addon(env, loop, EnvironmentOf(env));
  Export<SetListener, 2>(*addon, session, "setListener");
  Export<CloseSession, 0>(*addon, session, "close");
  RegisterMmap(*addon, Contract(*addon, session, "mmap"));
  RegisterEventFd(*addon, Contract(*addon, session, "event-fd"));
  RegisterClock(*addon, Contract(*addon, session, "clock"));
  RegisterEntropy(*addon, Contract(*addon, session, "entropy"));
  RegisterChannel(*addon, Contract(*addon, session, "channel"));
  RegisterSeccomp(*addon, Contract(*addon, session, "seccomp"));
  RegisterKvm(*addon, Contract(*addon, session, "kvm"));
  RegisterWatcher(*addon, Contract(*addon, session, "watcher"));
  RegisterDisk(*addon, Contract(*addon, session, "disk"));
  return session;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  NoteInheritedChannels();
  auto* environment = new std::shared_ptr<Environment>(std::make_shared<Environment>());
  napi_set_instance_data(
      env, environment,
      [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Environment>*>(data); },
      nullptr);
  exports.Set("setErrorClass", Napi::Function::New(env, SetErrorClass, "setErrorClass"));
  exports.Set("open", Napi::Function::New(env, OpenSession, "open"));
  return exports;
}

}  // namespace

NODE_API_MODULE(halyard, Init)

}  // namespace halyard
