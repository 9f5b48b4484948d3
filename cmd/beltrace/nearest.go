// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// nearest returns the candidate that takes the fewest edits to become name, and false if all are far from it: more
// than a third of the letters (of the longer one's) are wrong. A beginning of a candidate is near to it. Case does not
// count.
func nearest(name string, candidates []string) (string, bool) {
	name = strings.ToLower(name)
	best, least := "", len(name)+1
	for _, c := range candidates {
		d := distance(name, strings.ToLower(c))
		if len(name) > 1 && strings.HasPrefix(strings.ToLower(c), name) {
			d = min(d, 1)
		}
		if d < least && d <= max(len(name), len(c))/3 {
			best, least = c, d
		}
	}
	return best, best != ""
}

// didYouMean returns a question for an error line, or "" if no candidate is near.
func didYouMean(name string, candidates []string) string {
	if c, ok := nearest(name, candidates); ok {
		return ": did you mean " + c + "?"
	}
	return ""
}

// distance counts the letters to insert, delete or replace, and the neighbours to swap (optimal string alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1) // of one letter of a less, and of none so far
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			next[j+1] = min(next[j], row[j+1]) + 1
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(next[j+1], change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
