package durable

// Renamed is how a failed rename is judged; no file system here reports an error for a rename that happened.
var Renamed = renamed
