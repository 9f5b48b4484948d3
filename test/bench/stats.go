// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// spread is a median with the smallest and the largest of its values. The zero value: nothing was measured.
type spread struct {
	N                int
	Median, Min, Max float64
}

func spreadOf[T any](values []T, number func(T) float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	var all []float64
	for _, v := range values {
		all = append(all, number(v))
	}
	slices.Sort(all)
	n := len(all)
	return spread{n, (all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]}
}

func same(v float64) float64 { return v }

// rotated returns the values in the order of the round: each round begins one further, so that no tool always comes
// after the same one or at the same place.
func rotated[T any](values []T, round int) []T {
	if len(values) == 0 {
		return nil
	}
	k := round % len(values)
	out := slices.Concat(values[k:], values[:k])
	if round%2 == 1 {
		slices.Reverse(out)
	}
	return out
}
