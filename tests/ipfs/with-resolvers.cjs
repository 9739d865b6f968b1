// Node 20 has no Promise.withResolvers (ECMAScript 2024), which the daemon's dependencies call.
if (!Promise.withResolvers) {
  Promise.withResolvers = function () {
    const parts = {};
    parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  };
}
