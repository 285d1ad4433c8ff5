#include "bus/polkit.hpp"

#include <optional>
#include <utility>

namespace satchel {

namespace {

constexpr auto bus_service = "org.freedesktop.DBus";
constexpr auto bus_path = "/org/freedesktop/DBus";
constexpr auto polkit_service = "org.freedesktop.PolicyKit1";
constexpr auto polkit_path = "/org/freedesktop/PolicyKit1/Authority";
constexpr auto polkit_interface = "org.freedesktop.PolicyKit1.Authority";
constexpr std::uint32_t allow_user_interaction = 1;  // CheckAuthorizationFlags

using Details = std::map<std::string, std::string>;

constexpr std::size_t longest_name = 80;
constexpr auto between_refusals = std::chrono::minutes(1);

/// Agents show it to people, some as markup.
std::string one_line(std::string text) {
  if (text.size() > longest_name) {
    auto end = longest_name;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);  // no character is cut in two
    text += "…";
  }
  for (auto& each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte == 0x7F || each == '<' || each == '>' || each == '&') each = '?';
  }
  return text;
}

constexpr std::size_t most_questions_of_one = 4;
constexpr std::size_t most_questions = 32;

}  // namespace

/// One question that a person may take any time to answer, or never.
class PolkitAuthority::Question {
 public:
  Question(std::shared_ptr<Questions> open, std::uint32_t user)
      : open_(std::move(open)), user_(user) {
    std::size_t own = 0;
    std::size_t all = 0;
    for (const auto& [each, count] : *open_) {
      if (each == user_) own = count;
      all += count;
    }
    if (own >= most_questions_of_one || all >= most_questions)
      throw Fault(Remedy::retry, {"ask for", "an authorisation", "too many questions are open",
                                  "Answer those first, or close them."});
    ++(*open_)[user_];
  }
  ~Question() {
    const auto own = open_->find(user_);
    if (--own->second == 0) open_->erase(own);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

 private:
  std::shared_ptr<Questions> open_;
  std::uint32_t user_;
};

std::string polkit_action(Action action) {
  switch (action) {
    case Action::eject:
      return "org.satchel.eject";
    case Action::launch:
      return "org.satchel.launch";
    case Action::manage:
      return "org.satchel.manage";
    case Action::trust:
      return "org.satchel.trust";
  }
  return {};
}

std::map<std::string, std::string> polkit_details(const Undertaking& wanted) {
  // $(…) are filled in by polkit, after a translation if there ever is one.
  std::string message = "Authentication is required to " + wanted.doing;
  Details out;
  if (!wanted.machine.empty()) {
    out["machine"] = one_line(wanted.machine);
    message += ": $(machine)";
  }
  if (!wanted.device.empty()) {
    out["device"] = one_line(wanted.device);
    message += wanted.machine.empty() ? ": $(device)" : ", on $(device)";
  }
  out["polkit.message"] = message;
  return out;
}

Task<bool> PolkitAuthority::allows(std::string client, Undertaking wanted,
                                   Interaction interaction) {
  auto finding = user_of(client);
  const auto user = co_await std::move(finding);
  bool allowed = user == 0;
  if (!allowed) {
    std::optional<Question> question;
    if (interaction == Interaction::allowed) question.emplace(questions_, user);
    try {
      auto asking = polkit_allows(client, wanted, interaction);
      allowed = co_await std::move(asking);
    } catch (const BusError& error) {
      if (!error.is_absent()) throw;
    }
  }
  tell(user, wanted, allowed ? Answer::allowed : Answer::refused);
  co_return allowed;
}

void PolkitAuthority::tell(std::uint32_t user, const Undertaking& wanted, Answer answer) {
  if (!listener_) return;
  if (answer == Answer::refused) {
    // Nobody fills the journal by asking.
    const auto now = std::chrono::steady_clock::now();
    const auto [told, is_first] = refused_.try_emplace(user, now);
    if (!is_first && now - told->second < between_refusals) return;
    told->second = now;
  }
  listener_(user, wanted, answer);
}

Task<bool> PolkitAuthority::is_there() {
  try {
    const std::uint32_t flags = 0;
    // Only a start tells: a name can be activatable and its unit masked, or broken.
    co_await bus_.call(bus_service, bus_path, bus_service, "StartServiceByName",
                       std::string(polkit_service), flags);
  } catch (const BusError& error) {
    if (!error.is_absent()) throw;
    co_return false;
  }
  co_return true;
}

Task<std::uint32_t> PolkitAuthority::user_of(std::string client) {
  auto reply =
      co_await bus_.call(bus_service, bus_path, bus_service, "GetConnectionUnixUser", client);
  co_return reply.read<std::uint32_t>();
}

Task<bool> PolkitAuthority::polkit_allows(std::string client, Undertaking wanted,
                                          Interaction interaction) {
  // The subject by its unique name: polkit asks the bus itself whose process that is.
  const std::tuple<std::string, Dictionary> subject{"system-bus-name",
                                                    Dictionary{{"name", client}}};
  BusCall check(polkit_service, polkit_path, polkit_interface, "CheckAuthorization");
  check.timeout = BusCall::no_timeout;
  const std::uint32_t flags = interaction == Interaction::allowed ? allow_user_interaction : 0;
  auto asked = bus_.call(check, subject, polkit_action(wanted.action), polkit_details(wanted),
                         flags, std::string());
  auto reply = co_await std::move(asked);
  const auto result = reply.read<std::tuple<bool, bool, Details>>();
  co_return std::get<0>(result);
}

}  // namespace satchel
