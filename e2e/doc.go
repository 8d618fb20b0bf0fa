// Package e2e drives the built programs from outside, as a user or a batch system does: it starts bin/mastsim on the
// loopback interface, runs bin/jwstbulk against it, kills it at random moments, and judges by what is left on disk, by exit
// codes and output, and by the simulated archive's own log of requests.
//
// The one idea: the judge shares nothing with the judged. The tests import none of the product's packages; bytes are
// compared with those of a second, undisturbed archive fetched by plain net/http, and tables are read from copies.
//
// The tests have the build tag e2e (make e2e). They print the seed of their random choices; JWSTBULK_E2E_SEED=N repeats
// one run's choices, and JWSTBULK_SOAK=1 (make soak) raises the sampled counts to the full ones.
package e2e
