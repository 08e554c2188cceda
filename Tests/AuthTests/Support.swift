// What the tests of this folder share.

import Foundation

@testable import Auth

extension Grants {
  init(json: String) throws { self = try JSONDecoder().decode(Grants.self, from: Data(json.utf8)) }
}
