import type { components } from '../schema'

type Schemas = components['schemas']

export type AccountItem = Schemas['AccountItem']
export type AccountDetail = Schemas['AccountDetail']
export type AccountFields = Schemas['AccountFields']
export type AccountWindow = Schemas['AccountWindow']
export type AccountAction = Schemas['AccountAction']
export type AccountTestDone = Schemas['AccountTestDone']
export type Accounts = Schemas['Listed_AccountItem']
export type Kind = Schemas['KindView']
export type Login = Schemas['LoginView']
export type LoginDone = Schemas['LoginDone']
export type GroupItem = Schemas['GroupItem']
export type WayTest = Schemas['WayTest']
export type AccountsExported = Schemas['AccountsExported']
export type AccountsImported = Schemas['AccountsImported']
export type Stretch = Schemas['AccountStretch']
