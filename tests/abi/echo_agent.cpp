// In the agent's place: asks each task for patience and then sends it on without InfiniBand, with what it
// said of its devices as the reason.
#include "adapters/linux/seqpacket.hpp"
#include "container_ib/request.hpp"

namespace {

using namespace cib;

constexpr int lifeline = 3, patience_ms = 10'000;

// Until the task is ready; what came before that is the other tests' business.
void answer(int channel, bool network) {
  for (;;) {
    const auto frame = receive_frame(channel, patience_ms, 1);
    if (!frame || frame->size == 0) return;
    if (network && wire::read_frame<wire::Namespaces>(frame->bytes.data(), frame->size))
      (void)send_frame(channel, wire::Network{}, patience_ms);
    const auto ready = wire::read_frame<wire::Ready>(frame->bytes.data(), frame->size);
    if (!ready) continue;
    (void)send_frame(channel, wire::Patience{}, patience_ms);
    wire::Decline decline;
    decline.text.set_cut("gpus=" + ready->gpus.get() + " nics=" + ready->nics.get());
    (void)send_frame(channel, decline, patience_ms);
    return;
  }
}

}  // namespace

int main() {
  const auto first = receive_frame(lifeline, patience_ms);
  if (!first) return 1;
  const auto start = wire::read_frame<wire::Start>(first->bytes.data(), first->size);
  const auto request = parse_request(start ? start->option.get() : "");
  const bool network = request && may_be_private(request->mode);
  const auto channels = receive_frame(lifeline, patience_ms, wire::max_channels);
  if (!channels) return 1;
  for (const UniqueFd& channel : channels->fds) answer(channel.get(), network);
  while (true) {
    const auto frame = receive_frame(lifeline, patience_ms, wire::max_channels);
    if (!frame || frame->size == 0) return 0;
    const auto kind = wire::kind_of(frame->bytes.data(), frame->size);
    if (kind && (*kind == wire::Kind::task_exited || *kind == wire::Kind::finish))
      (void)send_frame(lifeline, wire::End{}, patience_ms);
  }
}
