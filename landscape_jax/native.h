// What the kernels share: a register that holds the same number of several problems, and threads.
//
// Every operation on registers is that of one problem written once, so what a problem gets does not
// depend on its neighbours.  REAL_BITS is 32 or 64.

#ifndef LANDSCAPE_JAX_NATIVE_H_
#define LANDSCAPE_JAX_NATIVE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;

#if REAL_BITS == 32
using Real = float;
constexpr auto kType = ffi::F32;
constexpr Real kEpsilon = 0x1p-23;
#else
using Real = double;
constexpr auto kType = ffi::F64;
constexpr Real kEpsilon = 0x1p-52;
#endif

using Argument = ffi::Buffer<kType>;
using Result = ffi::ResultBuffer<kType>;

// The bytes of a register.
#if defined(__AVX512F__)
constexpr size_t kBytes = 64;
#elif defined(__AVX__)
constexpr size_t kBytes = 32;
#else
constexpr size_t kBytes = 16;
#endif
constexpr size_t kLanes = kBytes / sizeof(Real);

// One number of each of several problems.
using Lanes [[gnu::vector_size(kBytes)]] = Real;

using Mask = decltype(Lanes{} < Lanes{});

// What a vector can hold: the standard library drops the attribute of a bare type.
struct Register {
  Lanes lanes;
};

inline Lanes Root(Lanes x) {
#if defined(__AVX512F__) && REAL_BITS == 32
  return _mm512_sqrt_ps(x);
#elif defined(__AVX512F__)
  return _mm512_sqrt_pd(x);
#elif defined(__AVX__) && REAL_BITS == 32
  return _mm256_sqrt_ps(x);
#elif defined(__AVX__)
  return _mm256_sqrt_pd(x);
#else
  for (size_t l = 0; l < kLanes; ++l) x[l] = std::sqrt(x[l]);
  return x;
#endif
}

// Pieces of work that threads take one by one.  The caller takes part, and waits only for pieces
// that another thread has begun; a helper that comes too late finds none.
template <typename F>
void InPieces(ffi::ThreadPool& pool, size_t pieces, F piece) {
  struct Counts {
    std::atomic<size_t> taken{0}, done{0};
  };
  auto counts = std::make_shared<Counts>();
  const auto take = [counts, pieces, piece] {
    for (size_t p; (p = counts->taken.fetch_add(1)) < pieces;) {
      piece(p);
      counts->done.fetch_add(1, std::memory_order_release);
    }
  };
  const size_t threads = std::max<int64_t>(1, pieces < 2 ? 1 : pool.num_threads());
  for (size_t helper = 1; helper < std::min(pieces, threads); ++helper) pool.Schedule([take] { take(); });
  take();
  while (counts->done.load(std::memory_order_acquire) < pieces) std::this_thread::yield();
}

}  // namespace

#endif  // LANDSCAPE_JAX_NATIVE_H_
