// The scopes that the page treats specially; all others are shown by OpenRouter's own word.

/** The scope of the key's own limit, OpenRouter's word. */
export const KEY_LIMIT = "key_limit";

/** What `limitedBy` says when the account's credit is the least; not a budget. */
export const ACCOUNT_CREDIT = "account_credit";
