// Objects that this process shows on the bus, described at run time: an Interface is a list of
// methods, properties and signals; an Object is a path that has some. Loop thread only. An Object
// must be destroyed before its Bus is.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/bus.hpp"

namespace satchel {

/// Who sent a request: the unique name, and whether he may be asked for a password.
struct Caller {
  Caller(std::string sender, Interaction with) : name(std::move(sender)), interaction(with) {}
  std::string name;
  Interaction interaction;
};

/// How a property's changes are told (org.freedesktop.DBus.Property.EmitsChangedSignal).
enum class Emits { change, never_changes };

class Interface {
 public:
  struct Method {
    std::string name;
    std::string in;         ///< signature of the arguments
    std::string out;        ///< signature of the result
    std::string arguments;  ///< names of both, each followed by a NUL
    std::function<Task<Message>(Message request)> serve;
  };
  struct Property {
    std::string name;
    std::string signature;
    Emits emits;
    std::function<void(Message& reply)> append;
  };
  struct Signal {
    std::string name;
    std::string signature;
    std::string arguments;
  };

  explicit Interface(std::string name) : name_(std::move(name)) {}

  /// `serve` is called as serve(Caller, arguments by value…) and gives a Task of the one result, or
  /// of void. It must not be a coroutine itself (rule K4) but call one, and that one must refer
  /// only to what outlives the Object: a request may still be under way when the Object is gone.
  /// What it throws is answered as an error, named by bus_error_name().
  template <class F>
  Interface& method(std::string name, std::vector<std::string> arguments,
                    std::vector<std::string> results, F serve) {
    add_method(std::move(name), joined(arguments) + joined(results),
               std::function(std::move(serve)));
    return *this;
  }

  /// `value` is called whenever somebody reads the property.
  template <class F>
  Interface& property(std::string name, F value, Emits emits = Emits::change) {
    using T = std::decay_t<std::invoke_result_t<F&>>;
    properties_.push_back(Property{std::move(name), Marshal<T>::signature(), emits,
                                   [value](Message& reply) { reply.append(T(value())); }});
    return *this;
  }

  template <class... Ts>
  Interface& signal(std::string name, std::vector<std::string> arguments) {
    signals_.push_back(Signal{std::move(name), (std::string() + ... + Marshal<Ts>::signature()),
                              joined(arguments)});
    return *this;
  }

  const std::string& name() const { return name_; }
  const std::vector<Method>& methods() const { return methods_; }
  const std::vector<Property>& properties() const { return properties_; }
  const std::vector<Signal>& signals() const { return signals_; }

 private:
  template <class R>
  static std::string result_signature() {
    if constexpr (std::is_void_v<R>)
      return {};
    else
      return Marshal<R>::signature();
  }

  template <class R>
  static Task<Message> answer(Message request, Task<R> work) {
    if constexpr (std::is_void_v<R>) {
      co_await std::move(work);
      co_return request.new_method_return();
    } else {
      auto result = co_await std::move(work);
      auto reply = request.new_method_return();
      reply.append(result);
      co_return reply;
    }
  }

  template <class R, class... Args>
  void add_method(std::string name, std::string arguments,
                  std::function<Task<R>(Caller, Args...)> serve) {
    Method made;
    made.name = std::move(name);
    made.in = (std::string() + ... + Marshal<Args>::signature());
    made.out = result_signature<R>();
    made.arguments = std::move(arguments);
    made.serve = [serve = std::move(serve)](Message request) {
      auto values = request.read_all<Args...>();
      Caller caller(request.sender(), request.interaction());
      auto work = std::apply(
          [&](Args&... each) { return serve(std::move(caller), std::move(each)...); }, values);
      return answer<R>(std::move(request), std::move(work));
    };
    methods_.push_back(std::move(made));
  }

  static std::string joined(const std::vector<std::string>& names);

  std::string name_;
  std::vector<Method> methods_;
  std::vector<Property> properties_;
  std::vector<Signal> signals_;
};

/// An object's place: a root has an ObjectManager that tells of the members below it; one that
/// stands alone is told of by nobody.
enum class Place { root, member, alone };

class Object {
 public:
  /// Shows the object at once; a member is announced by InterfacesAdded, with its properties as
  /// they are now. Throws BusError when the path is invalid or in use.
  Object(Bus& bus, std::string path, std::vector<Interface> interfaces, Place place);
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  /// A member is announced as gone by InterfacesRemoved.
  ~Object();

  const std::string& path() const;

  /// Has PropertiesChanged sent, together with all others that change in this turn of the loop.
  void changed(const std::string& interface, const std::string& property);

  template <class... Ts>
  void emit(const std::string& interface, const std::string& signal, const Ts&... arguments) {
    auto message = new_signal(interface, signal);
    message.append(arguments...);
    send(std::move(message));
  }

 private:
  struct Shown;

  Message new_signal(const std::string& interface, const std::string& signal) const;
  void send(Message message) const;

  std::shared_ptr<Shown> shown_;
};

/// Sends now what Object::changed collected: before a signal that others wait for.
void flush_changes(Bus& bus);

}  // namespace satchel
