package main

import (
	"math"
	"math/rand/v2"
	"sort"
)

// picking draws one of so many models: all alike, or number N as often as 1/(N+1) to the power of zipf.
func picking(models int, zipf float64, random *rand.Rand) func() int {
	if zipf == 0 {
		return func() int { return random.IntN(models) }
	}
	sums, sum := make([]float64, models), 0.0
	for number := range sums {
		sum += math.Pow(float64(number+1), -zipf)
		sums[number] = sum
	}
	return func() int { return min(sort.SearchFloat64s(sums, random.Float64()*sum), models-1) }
}
