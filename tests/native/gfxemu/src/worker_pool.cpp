#include "worker_pool.h"

namespace gfxemu {

WorkerPool &WorkerPool::instance() {
  static WorkerPool *pool = new WorkerPool;
  return *pool;
}

void WorkerPool::run(int count, const std::function<void(int)> &work) {
  if (count <= 1) { work(0); return; }
  std::lock_guard one(running_);
  {
    std::lock_guard hold(lock_);
    while (threads_ < count - 1) { threads_++; std::thread(&WorkerPool::loop, this, threads_).detach(); }
    work_ = &work;
    wanted_ = left_ = count - 1;
    generation_++;
  }
  start_.notify_all();
  work(0);
  std::unique_lock hold(lock_);
  done_.wait(hold, [&] { return left_ == 0; });
}

void WorkerPool::loop(int index) {
  unsigned long seen = 0;
  std::unique_lock hold(lock_);
  for (;;) {
    start_.wait(hold, [&] { return generation_ != seen; });
    seen = generation_;
    if (index > wanted_) continue;
    const auto *work = work_;
    hold.unlock();
    (*work)(index);
    hold.lock();
    if (--left_ == 0) done_.notify_all();
  }
}

}  // namespace gfxemu
