#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gfxemu {

// Threads that all run one function at a time. They live as long as the process: no destructor waits for them at exit.
class WorkerPool {
 public:
  // Calls work(0) on this thread and work(1) .. work(count - 1) on others; returns when all are done.
  void run(int count, const std::function<void(int)> &work);
  static WorkerPool &instance();

 private:
  void loop(int index);
  std::mutex running_, lock_;
  std::condition_variable start_, done_;
  const std::function<void(int)> *work_ = nullptr;
  int wanted_ = 0, left_ = 0;
  unsigned long generation_ = 0;
  int threads_ = 0;
};

}  // namespace gfxemu
