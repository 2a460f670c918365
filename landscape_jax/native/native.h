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
#include <type_traits>
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

// Tiles of rows and columns whose sums fit in the registers.
constexpr int kRows = 4, kColumns = kBytes == 32 ? 2 : 4;

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

inline bool Any(Mask mask) {
  for (size_t l = 0; l < kLanes; ++l)
    if (mask[l]) return true;
  return false;
}

// Call f with tiles of N indices, then with smaller ones for what is left.
template <int N, typename F>
inline void Tiles(size_t begin, size_t end, F&& f) {
  for (; begin + N <= end; begin += N) f(std::integral_constant<int, N>{}, begin);
  if constexpr (N > 1) Tiles<N / 2>(begin, end, f);
}

// sum[i][q] = Σ_j p[i][j] y[j][q] for I rows of p, of length `count`, and Q columns of y.
template <int I, int Q, typename Y>
inline void Combine(const Lanes* p, const Y* y, size_t count, size_t d, Lanes (&sum)[I][Q]) {
  for (int i = 0; i < I; ++i)
    for (int q = 0; q < Q; ++q) sum[i][q] = Lanes{};
  for (size_t j = 0; j < count; ++j) {
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q) {
      const auto yq = y[j * d + q];
#pragma GCC unroll 8
      for (int i = 0; i < I; ++i) sum[i][q] += p[i * count + j] * yq;
    }
  }
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
