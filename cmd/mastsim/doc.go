// Command mastsim serves a simulated MAST archive on a loopback address, for trying jwstbulk (or astroquery, curl, …)
// without the real archive: see package masttest for what it simulates. It prints its URL on standard output once it
// listens, and serves until SIGINT or SIGTERM.
//
//	mastsim --catalog recorded --scale 1000 --listen 127.0.0.1:8080
//	mastsim --catalog synthetic --observations 15000 --exclusive 5 --token secret --faults faults.json
package main
