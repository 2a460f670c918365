// The least squares of many activation patterns, by orthogonal factors, on a CPU.
//
// The table A of a pattern I, of n = Kd columns, has the rows (I_t1 x_t, …, I_tK x_t).  Wanted are
//
//   R = A⁺y + (I − A⁺A)c,  ‖AA⁺y − y‖²/N,  the rank r of A, and σ_r/σ_1.
//
// 1. A = Q [T; 0] by Householder's reflections (Golub & Van Loan 2013, section 5.2).  Where
//    ‖T⁻¹‖ ‖T‖ shows that T is far from losing rank, r = n and TR = (Qᵀy)_1…n; the rest of Qᵀy is
//    the residual.
// 2. Elsewhere, B = T or, for N < n, B = A:  BP = Q [S; ~0], the largest column of what is left
//    next each time, and Sᵀ = ZU, so that BP = Q [Uᵀ; 0] Zᵀ with a triangle U of r rows (Björck
//    1996, section 2.7.6).  Where ‖U⁻¹‖ ‖U‖ shows that U is far from losing rank,
//
//      PᵀR = Z₁U⁻ᵀ(Qᵀb)_1…r + (I − Z₁Z₁ᵀ)Pᵀc.
//
// 3. Where it is not, Jacobi's rotations V make the columns of W = UV orthogonal (Demmel & Veselić
//    1992).  Their norms are the singular values; those that count give
//
//      (Uᵀ)⁺b = Σ w_i (Vᵀb)_i / σ_i²,  and the projection on their span, Σ w_i w_iᵀ / σ_i².
//
// Each pattern's samples, and the labels, are scaled by a power of two, so that squares do not
// overflow or vanish.  No sum depends on what is in other lanes: all run over the same numbers of
// rows and columns, some of them 0.
//
// native.py compiles this file, with REAL_BITS, 32 or 64.

#include <cstring>
#include <limits>

#include "native.h"

namespace {

using Word = std::conditional_t<REAL_BITS == 32, int32_t, int64_t>;

// A reflection meets so many columns at a time: their sums fit in the registers.
constexpr int kBeside = 4;
// Power steps towards the largest singular value of a triangle, from its largest column.
constexpr int kSteps = 2;
// Rotations converge quadratically, after some sweeps; a dozen are many.
constexpr int kMostSweeps = 60;
// Patterns in a piece: those that are left to steps 2 and 3 share registers.
constexpr size_t kFewest = 64, kMost = 512;

// A power of two is its exponent in these bits; larger ones would have no inverse.
constexpr Word kFraction = REAL_BITS == 32 ? 23 : 52, kBias = REAL_BITS == 32 ? 127 : 1023;
constexpr Word kMostExponent = REAL_BITS == 32 ? 120 : 1000;

const Lanes kZero = {};
const Lanes kOne = kZero + 1;

inline Lanes All(Real a) { return kZero + a; }

inline Lanes Size(Lanes a) { return a < 0 ? -a : a; }

inline Lanes Inverse(Lanes a) { return a == 0 ? kZero : 1 / (a == 0 ? kOne : a); }

inline Lanes PowerOfTwo(Mask exponent) { return (Lanes)((exponent + kBias) << kFraction); }

// The exponent of a's power of two, that of 1 for 0.
inline Mask Exponent(Lanes a) {
  const Mask e = ((Mask)(a == 0 ? kOne : a) >> kFraction) - kBias;
  const Mask low = e < -kMostExponent ? Mask{} - kMostExponent : e;
  return low > kMostExponent ? Mask{} + kMostExponent : low;
}

inline Lanes Where(Mask mask, Lanes a) { return (Lanes)((Mask)a & mask); }

// Columns one after another.
struct Columns {
  Lanes* at;
  size_t stride;

  Lanes* operator[](size_t column) const { return at + column * stride; }
};

// sum[c] = Σ_i a_i b_ci, in parts, or each addition would wait for the last one.
template <int C>
inline void Dots(const Lanes* a, const Lanes* b, size_t stride, size_t count, Lanes (&sum)[C]) {
  constexpr int parts = C < kBeside ? kBeside / C : 1;
  Lanes part[parts][C] = {};
  size_t i = 0;
  for (; i + parts <= count; i += parts) {
#pragma GCC unroll 4
    for (int s = 0; s < parts; ++s) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) part[s][c] += a[i + s] * b[c * stride + i + s];
    }
  }
  for (; i < count; ++i) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) part[0][c] += a[i] * b[c * stride + i];
  }
  for (int c = 0; c < C; ++c) {
    sum[c] = part[0][c];
    for (int s = 1; s < parts; ++s) sum[c] += part[s][c];
  }
}

inline Lanes Dot(const Lanes* a, const Lanes* b, size_t count) {
  Lanes sum[1];
  Dots<1>(a, b, 0, count, sum);
  return sum[0];
}

// b_c ← b_c − f_c a.
template <int C>
inline void Subtract(const Lanes* a, const Lanes (&f)[C], Lanes* b, size_t stride, size_t count) {
  for (size_t i = 0; i < count; ++i) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) b[c * stride + i] -= a[i] * f[c];
  }
}

// b ← b + fa.
inline void Add(const Lanes* a, Lanes f, Lanes* b, size_t count) {
  for (size_t i = 0; i < count; ++i) b[i] += a[i] * f;
}

// b ← (I − βvvᵀ)b for C columns b.
template <int C>
[[gnu::noinline]] void Reflect(const Lanes* v, Lanes beta, Lanes* b, size_t stride, size_t count) {
  Lanes along[C];
  Dots<C>(v, b, stride, count, along);
  for (int c = 0; c < C; ++c) along[c] *= beta;
  Subtract<C>(v, along, b, stride, count);
}

// Turn a into the v that takes it to (diagonal, 0, …, 0), and give β, 0 where a = 0.
inline Lanes Reflection(Lanes* a, size_t count, Lanes& diagonal) {
  const Lanes square = Dot(a, a, count), norm = Root(square), head = a[0];
  diagonal = head < 0 ? norm : -norm;
  a[0] = head - diagonal;
  return Inverse(square + Size(head) * norm);
}

// Householder's factors of columns a: v below each diagonal, which is apart, and β.
struct Factors {
  Columns a;
  Lanes *diagonal, *beta, *product;  // of v with the one before, from the second one of a pair

  // Factor the first `columns`; `beside` of them are columns that are reflected too.
  void Factor(size_t rows, size_t columns, size_t beside) {
    for (size_t first = 0, end = columns + beside; first < end;) {
      // One that is left over goes with the last four.
      const size_t left = end - first, width = left == 5 ? 5 : std::min<size_t>(left, 4);
      switch (width) {
        case 5: Panel<5>(rows, first, columns); break;
        case 4: Panel<4>(rows, first, columns); break;
        case 3: Panel<3>(rows, first, columns); break;
        case 2: Panel<2>(rows, first, columns); break;
        default: Panel<1>(rows, first, columns);
      }
      first += width;
    }
  }

 private:
  // All earlier reflections of C columns, two at a time, then their own.
  template <int C>
  void Panel(size_t rows, size_t first, size_t columns) {
    size_t k = 0;
    const size_t before = std::min(first, columns);
    for (; k + 2 <= before; k += 2) Pair<C>(rows, k, a[first]);
    if (k < before) Reflect<C>(a[k] + k, beta[k], a[first] + k, a.stride, rows - k);
    Own<C>(rows, first, columns);
  }

  template <int C>
  void Own(size_t rows, size_t k, size_t columns) {
    if (k >= columns) return;
    beta[k] = Reflection(a[k] + k, rows - k, diagonal[k]);
    if (k % 2 == 1) product[k] = Dot(a[k] + k, a[k - 1] + k, rows - k);
    if constexpr (C > 1) {
      Reflect<C - 1>(a[k] + k, beta[k], a[k + 1] + k, a.stride, rows - k);
      Own<C - 1>(rows, k + 1, columns);
    }
  }

  // Reflections k and k + 1 of C columns b.
  template <int C>
  [[gnu::noinline]] void Pair(size_t rows, size_t k, Lanes* b) const {
    const Lanes *v = a[k], *w = a[k + 1];
    const size_t stride = a.stride;
    Lanes f[C], g[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      f[c] = v[k] * b[c * stride + k];
      g[c] = kZero;
    }
    for (size_t i = k + 1; i < rows; ++i) {
      const Lanes vi = v[i], wi = w[i];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const Lanes bi = b[c * stride + i];
        f[c] += vi * bi;
        g[c] += wi * bi;
      }
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      f[c] *= beta[k];
      g[c] = beta[k + 1] * (g[c] - product[k + 1] * f[c]);
      b[c * stride + k] -= v[k] * f[c];
    }
    for (size_t i = k + 1; i < rows; ++i) {
      const Lanes vi = v[i], wi = w[i];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) b[c * stride + i] -= vi * f[c] + wi * g[c];
    }
  }
};

// Exchange the diagonal of a with what is apart.
inline void Exchange(Columns a, size_t columns, Lanes* diagonal) {
  for (size_t j = 0; j < columns; ++j) std::swap(a[j][j], diagonal[j]);
}

// An upper triangle.  Rows and columns with 0 on the diagonal are as if they were not there.
class Triangle {
 public:
  explicit Triangle(size_t most) : memory_(most * (most + 3)) {
    inverse_ = &memory_.data()->lanes;
    v_ = inverse_ + most;
    u_ = v_ + most;
    S_ = {u_ + most, most};
  }

  void Set(Columns T, size_t n) {
    T_ = T;
    n_ = n;
    for (size_t j = 0; j < n; ++j) inverse_[j] = Inverse(T[j][j]);
  }

  // b ← T⁻¹b.
  void Solve(Lanes* b) const {
    for (size_t j = n_; j-- > 0;) {
      b[j] *= inverse_[j];
      Add(T_[j], -b[j], b, j);
    }
  }

  // b ← T⁻ᵀb.
  void SolveTransposed(Lanes* b) const {
    for (size_t j = 0; j < n_; ++j) b[j] = inverse_[j] * (b[j] - Dot(T_[j], b, j));
  }

  // Give where the rank is the given one and σ_min ≥ margin ‖T‖_F, from ‖T⁻¹‖_F; and estimate
  // σ_min/σ_max.
  [[gnu::noinline]] Mask IsFarFromLosing(Lanes rank, Real margin, Lanes& ratio) {
    Lanes present = kZero;
    for (size_t j = 0; j < n_; ++j) present += T_[j][j] == 0 ? kZero : kOne;
    Tiles<kBeside>(0, n_, [&](auto tile, size_t first) {
      constexpr int width = tile;
      for (size_t c = first; c < first + width; ++c)
        for (size_t i = 0; i < first + width; ++i) S_[c][i] = i == c ? kOne : kZero;
      for (size_t k = first + width; k-- > 0;) {
        Lanes z[width];
        for (int c = 0; c < width; ++c) z[c] = S_[first + c][k] *= inverse_[k];
        Subtract<width>(T_[k], z, S_[first], S_.stride, k);
      }
    });
    Lanes square, square_of_inverse;
    const Lanes most = Largest(T_, square), least = Largest(S_, square_of_inverse);
    ratio = Inverse(most * least);
    return (present == rank) & (margin * Root(square) * Root(square_of_inverse) <= 1);
  }

 private:
  // Give the norm of a triangle, or less, but no less than that of a column; and ‖T‖_F².
  Lanes Largest(Columns T, Lanes& square) {
    Lanes most = square = kZero;
    for (size_t j = 0; j < n_; ++j) {
      v_[j] = kZero;
      const Lanes here = Dot(T[j], T[j], j + 1);
      const Mask larger = here > most;
      most = larger ? here : most;
      square += here;
      for (size_t i = 0; i <= j; ++i) v_[i] = larger ? T[j][i] : v_[i];
    }
    Lanes inverse = Inverse(Root(most));
    for (int step = 1;; ++step) {
      for (size_t j = 0; j < n_; ++j) u_[j] = inverse * Dot(T[j], v_, j + 1);
      const Lanes norm = Root(Dot(u_, u_, n_));
      if (step == kSteps) return norm;
      inverse = Inverse(norm);
      for (size_t j = 0; j < n_; ++j) {
        v_[j] = kZero;
        Add(T[j], inverse * u_[j], v_, j + 1);
      }
      inverse = Inverse(Root(Dot(v_, v_, n_)));
    }
  }

  std::vector<Register> memory_;
  Columns T_, S_;
  size_t n_;
  Lanes *inverse_, *v_, *u_;
};

// Samples, labels and patterns, and where results belong.
struct Problem {
  const size_t N, d, K, n;
  const Real *x, *y, *free;
  const bool* patterns;
  const Real tolerance;
  Real *R, *loss, *ratio;
  int32_t* rank;
  std::vector<Real> sizes;  // the largest entry of each sample
  Mask label_exponent;      // of the power of two by which y is divided

  // Triangles are those of tables that are off by (N + n) ε ‖A‖_F at most, unless roundings
  // conspire (Higham 2002, theorem 19.4, has N n then).  So values above this share of ‖A‖_F are
  // far above the tolerance of A itself.
  Real margin() const { return 4 * (N + n) * kEpsilon; }

  // b ← 2^e b for the difference e of the exponents, by two factors that are in range.
  void Unscale(Mask exponent, Lanes* b) const {
    const Mask e = label_exponent - exponent, half = e >> 1;
    for (size_t i = 0; i < n; ++i) b[i] = b[i] * PowerOfTwo(half) * PowerOfTwo(e - half);
  }

  void Store(size_t pattern, Real residual, Real rank_here, Real ratio_here) const {
    const Real unit = PowerOfTwo(label_exponent)[0];
    loss[pattern] = residual / N * unit * unit;
    rank[pattern] = rank_here;
    ratio[pattern] = ratio_here;
  }
};

// The tables of as many patterns as a register holds.
class Tables {
 public:
  explicit Tables(const Problem& p)
      : p_(p), memory_((p.N | 1) * (p.n + 1) + p.N * p.K + 4 * p.n), triangle_(p.n) {
    a = {&memory_.data()->lanes, p.N | 1};  // odd, or columns share lines of the cache
    y = a[p.n];
    on_ = y + a.stride;
    diagonal_ = on_ + p.N * p.K;
    beta_ = diagonal_ + p.n;
    product_ = beta_ + p.n;
    found = product_ + p.n;
  }

  // Take patterns one after another; lanes without one repeat the last.
  [[gnu::noinline]] void Load(size_t first, size_t count) {
    ReadFlags(p_.patterns + first * p_.N * p_.K, count);
    Lanes largest = kZero;
    for (size_t t = 0; t < p_.N; ++t)
      for (size_t j = 0; j < p_.K; ++j) {
        const Lanes here = Where((Mask)on_[t * p_.K + j], All(p_.sizes[t]));
        largest = here > largest ? here : largest;
      }
    exponent = Exponent(largest);
    const Lanes scale = PowerOfTwo(-exponent), scale_of_labels = PowerOfTwo(-p_.label_exponent);
    for (size_t t = 0; t < p_.N; ++t) {
      for (size_t q = 0; q < p_.d; ++q) {
        const Lanes entry = scale * p_.x[t * p_.d + q];
        for (size_t j = 0; j < p_.K; ++j)
          a[j * p_.d + q][t] = Where((Mask)on_[t * p_.K + j], entry);
      }
      y[t] = scale_of_labels * p_.y[t];
    }
    residual = kZero;
  }

  // Step 1: give where the solution is found.
  [[gnu::noinline]] Mask Solve(Lanes& ratio) {
    Factors{a, diagonal_, beta_, product_}.Factor(p_.N, p_.n, 1);
    Exchange(a, p_.n, diagonal_);
    residual = Dot(y + p_.n, y + p_.n, p_.N - p_.n);
    triangle_.Set(a, p_.n);
    const Mask clear = triangle_.IsFarFromLosing(All(p_.n), p_.margin(), ratio);
    std::copy(y, y + p_.n, found);
    triangle_.Solve(found);
    return clear;
  }

 private:
  // All bits of a flag that is set.
  void ReadFlags(const bool* from, size_t count) {
    const size_t flags = p_.N * p_.K;
    const auto read = [&](size_t e, auto here) {
      Mask words = {};
      for (size_t l = 0; l < kLanes; ++l) {
        Word word = 0;
        std::memcpy(&word, from + std::min(l, count - 1) * flags + e, here);
        words[l] = word;
      }
      for (size_t b = 0; b < here; ++b) on_[e + b] = (Lanes)(((words >> 8 * b) & 1) != 0);
    };
    const std::integral_constant<size_t, sizeof(Word)> whole = {};
    size_t e = 0;
    for (; e + whole <= flags; e += whole) read(e, whole);
    if (e < flags) read(e, flags - e);
  }

  const Problem& p_;
  std::vector<Register> memory_;
  Triangle triangle_;
  Lanes *on_, *diagonal_, *beta_, *product_;

 public:
  // Before step 1 A and y, after it T, Qᵀy and the solution.
  Columns a;
  Lanes *y, *found, residual;
  Mask exponent;
};

// Patterns whose rank step 1 leaves open, as many as a register holds.
class Left {
 public:
  explicit Left(const Problem& p)
      : p_(p), rows_(std::min(p.N, p.n)), memory_(p.n * (3 * (p.n | 1) + 8)), triangle_(p.n) {
    b_ = {&memory_.data()->lanes, p.n | 1};
    z_ = {b_[p.n], b_.stride};
    w_ = {z_[p.n], b_.stride};
    y_ = w_[p.n];
    order_ = y_ + p.n;
    squares_ = order_ + p.n;
    diagonal_ = squares_ + p.n;
    beta_ = diagonal_ + p.n;
    of_labels_ = beta_ + p.n;
    of_free_ = of_labels_ + p.n;
    free_ = of_free_ + p.n;
  }

  // Take a lane of the tables: of A, or of T where step 1 has made it.
  void Take(const Tables& tables, size_t l, size_t pattern) {
    for (size_t j = 0; j < p_.n; ++j) {
      const size_t filled = p_.N < p_.n ? rows_ : j + 1;
      for (size_t i = 0; i < rows_; ++i) b_[j][i][count_] = i < filled ? tables.a[j][i][l] : 0;
    }
    for (size_t i = 0; i < rows_; ++i) y_[i][count_] = tables.y[i][l];
    residual_[count_] = tables.residual[l];
    exponent_[count_] = tables.exponent[l];
    patterns_[count_] = pattern;
    if (++count_ == kLanes) Finish();
  }

  // Steps 2 and 3.
  void Finish() {
    if (count_ == 0) return;
    const size_t n = p_.n;
    Pivot();
    for (size_t i = 0; i < rows_; ++i)
      for (size_t j = 0; j < n; ++j) z_[i][j] = j < i ? kZero : b_[j][i];
    Factors{z_, diagonal_, beta_, squares_}.Factor(n, rows_, 0);
    for (size_t s = 0; s < n; ++s) {
      of_labels_[s] = s < rows_ ? y_[s] : kZero;
      for (size_t l = 0; l < count_; ++l) of_free_[s][l] = p_.free[Place(s, l)];
    }
    for (size_t k = 0; k < rows_; ++k) Reflect<1>(z_[k] + k, beta_[k], of_free_ + k, 0, n - k);
    std::copy(of_free_, of_free_ + rows_, free_);
    for (size_t s = 0; s < rows_; ++s) of_free_[s] = All(s) < rank_ ? kZero : free_[s];

    Exchange(z_, rows_, diagonal_);
    triangle_.Set(z_, rows_);
    triangle_.SolveTransposed(of_labels_);
    Lanes ratio;
    const Mask clear = triangle_.IsFarFromLosing(rank_, p_.margin(), ratio);
    if (Any(~clear)) Rotate(~clear, ratio);
    Exchange(z_, rows_, diagonal_);

    for (size_t k = rows_; k-- > 0;)
      Reflect<2>(z_[k] + k, beta_[k], of_labels_ + k, of_free_ - of_labels_, n - k);
    p_.Unscale(exponent_, of_labels_);
    for (size_t l = 0; l < count_; ++l) {
      for (size_t s = 0; s < n; ++s) p_.R[Place(s, l)] = of_labels_[s][l] + of_free_[s][l];
      p_.Store(patterns_[l], residual_[l], rank_[l], ratio[l]);
    }
    count_ = 0;
  }

 private:
  // Where the entry of R belongs that is at s for lane l.
  size_t Place(size_t s, size_t l) const {
    return patterns_[l] * p_.n + static_cast<size_t>(order_[s][l]);
  }

  // BP = Q [S; 0] and y ← Qᵀy, without what is far below the tolerance.
  [[gnu::noinline]] void Pivot() {
    const size_t n = p_.n;
    for (size_t j = 0; j < n; ++j) {
      order_[j] = All(j);
      squares_[j] = Dot(b_[j], b_[j], rows_);
    }
    rank_ = kZero;
    Lanes least = kZero;
    Mask counts = ~Mask{};
    for (size_t s = 0; s < rows_; ++s) {
      Lanes rest = kZero, most = kZero, at = All(s);
      for (size_t j = s; j < n; ++j) {
        const Mask larger = squares_[j] > most;
        most = larger ? squares_[j] : most;
        at = larger ? All(j) : at;
        rest += squares_[j];
      }
      // What is left out moves singular values by at most a quarter of the tolerance: σ₁ is no
      // less than the norm of a column.
      if (s == 0) least = most * (p_.tolerance * p_.tolerance / 16);
      counts &= rest > least;
      rank_ += Where(counts, kOne);
      for (size_t j = s + 1; j < n; ++j) Swap(s, j, at == All(j));

      Lanes diagonal;
      const Lanes beta = Where(counts, Reflection(b_[s] + s, rows_ - s, diagonal));
      Tiles<kBeside>(s + 1, n, [&](auto tile, size_t j) {
        Reflect<tile>(b_[s] + s, beta, b_[j] + s, b_.stride, rows_ - s);
      });
      Reflect<1>(b_[s] + s, beta, y_ + s, 0, rows_ - s);
      b_[s][s] = diagonal;
      for (size_t j = s; j < n; ++j) {
        b_[j][s] = Where(counts, b_[j][s]);
        squares_[j] = Dot(b_[j] + s + 1, b_[j] + s + 1, rows_ - s - 1);
      }
      residual_ += Where(~counts, y_[s] * y_[s]);
      y_[s] = Where(counts, y_[s]);
    }
  }

  // Exchange two columns in the lanes of the mask.
  void Swap(size_t s, size_t j, Mask mask) {
    if (!Any(mask)) return;
    const auto swap = [mask](Lanes& a, Lanes& b) {
      const Lanes old = a;
      a = mask ? b : a;
      b = mask ? old : b;
    };
    swap(order_[s], order_[j]);
    swap(squares_[s], squares_[j]);
    for (size_t i = 0; i < rows_; ++i) swap(b_[s][i], b_[j][i]);
  }

  // Step 3 in the lanes of the mask.
  [[gnu::noinline]] void Rotate(Mask mask, Lanes& ratio) {
    const size_t m = rows_;
    Lanes whole = kZero;
    for (size_t j = 0; j < m; ++j) {
      for (size_t i = 0; i < m; ++i) w_[j][i] = i <= j ? z_[j][i] : kZero;
      whole += Dot(w_[j], w_[j], j + 1);
    }
    // Columns below this are as good as 0: those that count would turn by less than rounding.
    const Lanes least = whole * (p_.tolerance * p_.tolerance * kEpsilon * kEpsilon);
    // Twice the rounding of a cosine, so that rotations end.
    const Real orthogonal = m * kEpsilon;
    Mask turned = mask;
    for (int sweep = 0; sweep < kMostSweeps && Any(turned); ++sweep) {
      turned = Mask{};
      for (size_t i = 0; i < m; ++i)
        for (size_t j = i + 1; j < m; ++j) {
          Lanes *p = w_[i], *q = w_[j];
          const Lanes a = Dot(p, p, m), b = Dot(q, q, m), c = Dot(p, q, m);
          const Mask turn = mask & (a > least) & (b > least) &
                            (Size(c) > orthogonal * Root(a) * Root(b));
          if (!Any(turn)) continue;
          turned |= turn;
          const Lanes difference = b - a, twice = 2 * c;
          const Lanes root = Size(difference) + Root(difference * difference + twice * twice);
          const Lanes tangent = twice / (turn ? (difference < 0 ? -root : root) : kOne);
          const Lanes cosine = 1 / Root(1 + tangent * tangent), sine = cosine * tangent;
          const auto rotate = [&](Lanes& one, Lanes& other) {
            const Lanes old = one;
            one = turn ? cosine * old - sine * other : old;
            other = turn ? sine * old + cosine * other : other;
          };
          for (size_t k = 0; k < m; ++k) rotate(p[k], q[k]);
          rotate(y_[i], y_[j]);
        }
    }
    Collect(mask, turned, ratio);
  }

  // What the singular values that count give; NaN where rotations have not ended.
  void Collect(Mask mask, Mask lost, Lanes& ratio) {
    const size_t m = rows_;
    const Lanes nan = All(std::numeric_limits<Real>::quiet_NaN());
    Lanes most = kZero, rank = kZero, residual = residual_;
    for (size_t i = 0; i < m; ++i) {
      squares_[i] = Dot(w_[i], w_[i], m);
      most = squares_[i] > most ? squares_[i] : most;
      of_labels_[i] = mask ? kZero : of_labels_[i];
      of_free_[i] = mask ? free_[i] : of_free_[i];
    }
    Lanes least = most;
    for (size_t i = 0; i < m; ++i) {
      const Mask counts = mask & (Root(squares_[i]) > p_.tolerance * Root(most));
      const Lanes inverse = Where(counts, Inverse(squares_[i]));
      Add(w_[i], inverse * y_[i], of_labels_, m);
      Add(w_[i], Where(counts, -inverse * Dot(w_[i], free_, m)), of_free_, m);
      least = counts & (squares_[i] < least) ? squares_[i] : least;
      rank += Where(counts, kOne);
      residual += Where(~counts, y_[i] * y_[i]);
    }
    for (size_t i = 0; i < m; ++i) of_labels_[i] = lost ? nan : of_labels_[i];
    residual_ = lost ? nan : mask ? residual : residual_;
    ratio = lost ? nan : mask ? Root(least) * Inverse(Root(most)) : ratio;
    rank_ = lost ? kZero : mask ? rank : rank_;
  }

  const Problem& p_;
  const size_t rows_;
  std::vector<Register> memory_;
  Triangle triangle_;
  Columns b_, z_, w_;
  Lanes *y_, *order_, *squares_, *diagonal_, *beta_, *of_labels_, *of_free_, *free_;
  Lanes residual_ = kZero, rank_ = kZero;
  Mask exponent_ = {};
  std::array<size_t, kLanes> patterns_ = {};
  size_t count_ = 0;
};

void SolvePiece(const Problem& p, size_t first, size_t end) {
  Tables tables(p);
  Left left(p);
  for (; first < end; first += kLanes) {
    const size_t count = std::min(kLanes, end - first);
    tables.Load(first, count);
    Lanes ratio;
    Mask clear = {};
    if (p.N >= p.n) {
      clear = tables.Solve(ratio);
      p.Unscale(tables.exponent, tables.found);
    }
    for (size_t l = 0; l < count; ++l) {
      if (!clear[l]) {
        left.Take(tables, l, first + l);
        continue;
      }
      for (size_t j = 0; j < p.n; ++j) p.R[(first + l) * p.n + j] = tables.found[j][l];
      p.Store(first + l, tables.residual[l], p.n, ratio[l]);
    }
  }
  left.Finish();
}

ffi::Error LeastSquares(ffi::ThreadPool pool, Argument x, Argument y,
                        ffi::Buffer<ffi::PRED> patterns, Argument free, double tolerance, Result R,
                        Result loss, ffi::ResultBuffer<ffi::S32> rank, Result ratio) {
  const size_t N = x.dimensions()[0], d = x.dimensions()[1], K = patterns.dimensions()[2];
  const size_t count = patterns.dimensions()[0];
  Problem p{N, d, K, K * d, x.typed_data(), y.typed_data(), free.typed_data(),
            patterns.typed_data(), static_cast<Real>(tolerance), R->typed_data(),
            loss->typed_data(), ratio->typed_data(), rank->typed_data(), {}, {}};
  const auto largest = [](const Real* from, size_t many) {
    Real most = 0;
    for (size_t i = 0; i < many; ++i) most = std::max(most, std::abs(from[i]));
    return most;
  };
  for (size_t t = 0; t < N; ++t) p.sizes.push_back(largest(p.x + t * d, d));
  p.label_exponent = Exponent(All(largest(p.y, N)));

  const auto finite = [](Real a) { return std::isfinite(a); };
  if (!std::all_of(p.x, p.x + N * d, finite) || !std::all_of(p.y, p.y + N, finite)) {
    const Real nan = std::numeric_limits<Real>::quiet_NaN();
    std::fill_n(p.R, count * p.n, nan);
    std::fill_n(p.loss, count, nan);
    std::fill_n(p.ratio, count, nan);
    std::fill_n(p.rank, count, 0);
    return ffi::Error::Success();
  }
  const size_t fair = count / (4 * std::max<int64_t>(1, pool.num_threads()));
  const size_t each = std::clamp(fair / kLanes * kLanes, kFewest, kMost);
  InPieces(pool, (count + each - 1) / each, [&p, count, each](size_t piece) {
    SolvePiece(p, piece * each, std::min(count, (piece + 1) * each));
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(least_squares, LeastSquares,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Arg<ffi::Buffer<ffi::PRED>>()
                                  .Arg<Argument>()
                                  .Attr<double>("tolerance")
                                  .Ret<Argument>()
                                  .Ret<Argument>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Ret<Argument>());
